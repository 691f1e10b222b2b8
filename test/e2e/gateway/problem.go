package gateway

import (
	"encoding/json"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
)

// problem is the contract of every error answer (RFC 9457).
type problem struct {
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
	}
}

// problem asserts that a is a problem of that status and kind for the path, with
// every member as the contract has it, and returns its detail.
func (a answer) problem(status int, kind, path string) string {
	GinkgoHelper()
	Expect(a.status).To(Equal(status), string(a.body))
	Expect(a.header.Get("Content-Type")).To(Equal("application/problem+json"))
	var got problem
	Expect(json.Unmarshal(a.body, &got)).To(Succeed(), string(a.body))
	Expect(got.Detail).NotTo(BeEmpty())
	Expect(got.RequestID).NotTo(BeEmpty())
	Expect(got).To(Equal(problem{
		Type:      problemBase + kind,
		Title:     titles()[kind],
		Status:    status,
		Detail:    got.Detail,
		Instance:  path,
		RequestID: a.header.Get("X-Request-ID"),
	}))
	return got.Detail
}

// invalid asserts the answer to a signal that the Prometheus route refuses.
func (a answer) invalid() string {
	GinkgoHelper()
	return a.problem(http.StatusBadRequest, "validation-error", routePrometheus)
}

// mention matches a detail with the word in it. Details are sentences for people,
// so the case of a letter is not part of the contract.
func mention(word string) gomegatypes.GomegaMatcher {
	return WithTransform(strings.ToLower, ContainSubstring(strings.ToLower(word)))
}
