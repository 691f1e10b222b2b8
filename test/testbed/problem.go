package testbed

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Problem is the contract of every error answer of the services (RFC 9457).
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance"`
	RequestID string `json:"request_id"`
}

const problemBase = "https://kubernaut.ai/problems/"

// titles names the title that belongs to each kind of problem.
func titles() map[string]string {
	return map[string]string{
		"validation-error":       "Validation Error",
		"unauthorized":           "Unauthorized",
		"forbidden":              "Forbidden",
		"not-found":              "Not Found",
		"method-not-allowed":     "Method Not Allowed",
		"payload-too-large":      "Payload Too Large",
		"unsupported-media-type": "Unsupported Media Type",
		"service-unavailable":    "Service Unavailable",
	}
}

// Problem asserts that a is a problem of that status and kind for the path, with
// every member as the contract has it, and returns its detail.
func (a Answer) Problem(status int, kind, path string) string {
	GinkgoHelper()
	Expect(a.Status).To(Equal(status), string(a.Body))
	Expect(a.Header.Get("Content-Type")).To(Equal("application/problem+json"))
	var got Problem
	Expect(json.Unmarshal(a.Body, &got)).To(Succeed(), string(a.Body))
	Expect(got.Detail).NotTo(BeEmpty())
	Expect(got.RequestID).NotTo(BeEmpty())
	Expect(got).To(Equal(Problem{
		Type:      problemBase + kind,
		Title:     titles()[kind],
		Status:    status,
		Detail:    got.Detail,
		Instance:  path,
		RequestID: a.Header.Get("X-Request-ID"),
	}))
	return got.Detail
}
