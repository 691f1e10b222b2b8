package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// The routes of the Gateway that take signals.
const (
	routePrometheus   = "/api/v1/signals/prometheus"
	routeAlertmanager = "/api/v1/signals/alertmanager"
	routeEvent        = "/api/v1/signals/kubernetes-event"
)

// call is one HTTP request to the Gateway. What is left zero is what a correct
// sender does: POST to the Prometheus route, with a JSON content type, a valid
// token and the present time.
type call struct {
	method string
	path   string
	body   []byte
	// header replaces headers of a correct sender; an empty value removes one.
	header map[string]string
}

func (c call) completed() call {
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = routePrometheus
	}
	return c
}

// answer is what the Gateway said.
type answer struct{ testbed.Answer }

// signalAnswer is the body of an answer to a single signal.
type signalAnswer struct {
	Status          string `json:"status"`
	Fingerprint     string `json:"fingerprint"`
	Name            string `json:"name"`
	Namespace       string `json:"namespace"`
	RequestID       string `json:"request_id"`
	OccurrenceCount int64  `json:"occurrence_count"`
}

// batchAnswer is the body of an answer to several signals.
type batchAnswer struct {
	Summary   batchSummary  `json:"summary"`
	Results   []batchResult `json:"results"`
	RequestID string        `json:"request_id"`
}

type batchSummary struct {
	Total        int `json:"total"`
	Created      int `json:"created"`
	Deduplicated int `json:"deduplicated"`
	Resolved     int `json:"resolved"`
	Rejected     int `json:"rejected"`
	Failed       int `json:"failed"`
}

type batchResult struct {
	Index       int    `json:"index"`
	Status      string `json:"status"`
	Fingerprint string `json:"fingerprint"`
	Name        string `json:"name"`
	Namespace   string `json:"namespace"`
	Detail      string `json:"detail"`
}

// post sends c and returns what came back. Only a missing answer is an error.
func (s *system) post(ctx context.Context, c call) (answer, error) {
	a, err := s.Send(ctx, s.outgoing(c))
	return answer{a}, err
}

// outgoing returns c as it is sent.
func (s *system) outgoing(c call) testbed.Call {
	c = c.completed()
	headers := map[string]string{
		"Authorization": "Bearer " + s.token,
		"Content-Type":  "application/json",
		"X-Timestamp":   at(0),
	}
	maps.Copy(headers, c.header)
	out := testbed.Call{
		Endpoint: infrastructure.EndpointGateway, Method: c.method, Path: c.path, Body: c.body, Header: http.Header{},
	}
	for name, value := range headers {
		if value != "" {
			out.Header.Set(name, value)
		}
	}
	return out
}

// send is post for specs that wait for one answer. The exchange is attached to the
// report of the spec, where it is shown when the spec fails.
func (s *system) send(ctx context.Context, c call) answer {
	GinkgoHelper()
	c = c.completed()
	a, err := s.post(ctx, c)
	Expect(err).NotTo(HaveOccurred())
	AddReportEntry(fmt.Sprintf("%s %s answered %d", c.method, c.path, a.Status), ReportEntryVisibilityFailureOrVerbose,
		fmt.Sprintf("sent %s\nreceived %v\n%s", c.body, a.Header, a.Body))
	return a
}

// sendAll posts all calls at the same time and returns the answers in their order.
func (s *system) sendAll(ctx context.Context, calls []call) []answer {
	GinkgoHelper()
	answers := make([]answer, len(calls))
	var group errgroup.Group
	for i, c := range calls {
		group.Go(func() (err error) {
			answers[i], err = s.post(ctx, c)
			return err
		})
	}
	Expect(group.Wait()).To(Succeed())
	return answers
}

// signal asserts the status and decodes the body of an answer to a single signal.
func (a answer) signal(status int) signalAnswer {
	GinkgoHelper()
	Expect(a.Status).To(Equal(status), string(a.Body))
	Expect(a.Header.Get("Content-Type")).To(HavePrefix("application/json"))
	var body signalAnswer
	Expect(json.Unmarshal(a.Body, &body)).To(Succeed(), string(a.Body))
	return body
}

// batch asserts 207 and decodes the body of an answer to several signals.
func (a answer) batch() batchAnswer {
	GinkgoHelper()
	Expect(a.Status).To(Equal(http.StatusMultiStatus), string(a.Body))
	var body batchAnswer
	Expect(json.Unmarshal(a.Body, &body)).To(Succeed(), string(a.Body))
	return body
}

// statuses counts the answers by status.
func statuses(answers []answer) map[int]int {
	counts := map[int]int{}
	for _, a := range answers {
		counts[a.Status]++
	}
	return counts
}

// at is the X-Timestamp of a sender whose clock is off by offset.
func at(offset time.Duration) string {
	return strconv.FormatInt(time.Now().Add(offset).Unix(), 10)
}
