package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// uuidPattern is the form of a random (version 4) UUID.
const uuidPattern = `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`

func (s *system) lifecycle() {
	Describe("Request lifecycle", Label("lifecycle"), func() {
		It("gives a signal an id that is in header and body", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			a := s.send(ctx, call{body: webhook(podAlert(ns, "api-0"))})
			Expect(a.Header.Values("X-Request-ID")).To(HaveLen(1))
			id := a.Header.Get("X-Request-ID")
			Expect(id).To(MatchRegexp(uuidPattern))
			Expect(a.signal(http.StatusCreated).RequestID).To(Equal(id))
		})

		It("gives a batch and a refusal one as well", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			batch := s.send(ctx, call{body: webhook(podAlert(ns, "api-0"), podAlert(ns, "api-1"))})
			Expect(batch.Header.Get("X-Request-ID")).To(MatchRegexp(uuidPattern))
			Expect(batch.batch().RequestID).To(Equal(batch.Header.Get("X-Request-ID")))
			refusal := s.send(ctx, call{body: []byte("{")})
			refusal.invalid()
			Expect(refusal.Header.Get("X-Request-ID")).To(MatchRegexp(uuidPattern))
		})

		It("does not let the sender choose the id", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			const chosen = "11111111-1111-4111-8111-111111111111"
			a := s.send(ctx, call{body: webhook(podAlert(ns, "api-0")), header: map[string]string{"X-Request-ID": chosen}})
			Expect(a.Header.Get("X-Request-ID")).To(MatchRegexp(uuidPattern))
			Expect(a.Header.Get("X-Request-ID")).NotTo(Equal(chosen))
		})

		It("gives every request another id", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			ids := map[string]bool{}
			for _, a := range s.sendFrom(ctx, 4, 5, call{body: webhook(podAlert(ns, "api-0"))}) {
				ids[a.Header.Get("X-Request-ID")] = true
			}
			Expect(ids).To(HaveLen(20))
		})
	})
}

// logLine is one line of the Gateway's log.
type logLine struct {
	Time      time.Time `json:"time"`
	Level     string    `json:"level"`
	Message   string    `json:"msg"`
	RequestID string    `json:"request_id"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	// Status is a number in these lines; others may use the name for a word.
	Status any `json:"status"`
}

// answersIn returns the lines that tell how a request was answered. A line that is not a JSON object with
// time, level and message is an error, whichever request it belongs to.
func answersIn(log []byte, requestID string) ([]logLine, error) {
	var own []logLine
	for raw := range bytes.Lines(log) {
		var line logLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return nil, fmt.Errorf("log line %q is not JSON: %w", raw, err)
		}
		if line.Time.IsZero() || line.Level == "" || line.Message == "" {
			return nil, fmt.Errorf("log line %q lacks time, level or message", raw)
		}
		if line.RequestID == requestID && line.Message == "request answered" {
			own = append(own, line)
		}
	}
	return own, nil
}

func (s *system) logs() {
	Describe("Log", Label("logs"), func() {
		It("is structured, and tells under the request's id how it was answered", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			start := time.Now().Add(-time.Second)
			id := s.send(ctx, call{body: webhook(podAlert(ns, "api-0"))}).signal(http.StatusCreated).RequestID

			var lines []logLine
			Eventually(func(ctx context.Context) ([]logLine, error) {
				log, err := s.gatewayLog(ctx, start)
				if err != nil {
					return nil, err
				}
				lines, err = answersIn(log, id)
				return lines, err
			}, settleBudget, poll).WithContext(ctx).Should(HaveLen(1))
			line := lines[0]
			Expect(line.Time).To(BeTemporally("~", time.Now(), settleBudget))
			line.Time = time.Time{}
			Expect(line).To(Equal(logLine{
				Level: "INFO", Message: "request answered", RequestID: id,
				Method: http.MethodPost, Path: routePrometheus, Status: float64(http.StatusCreated),
			}))
		})
	})
}

func (s *system) health() {
	Describe("Health", Label("health"), func() {
		It("and readiness are answered while signals come in", SpecTimeout(specBudget), func(ctx SpecContext) {
			const signals, probes = 40, 10
			ns := s.namespace(ctx)
			calls := make([]call, signals)
			for i := range calls {
				calls[i].body = webhook(podAlert(ns, fmt.Sprintf("api-%d", i)))
			}
			var load errgroup.Group
			var answers []answer
			load.Go(func() error {
				defer GinkgoRecover()
				answers = s.sendAll(ctx, calls)
				return nil
			})
			paths := []string{"/health", "/healthz", "/ready", "/readyz"}
			got := make([]answer, probes*len(paths))
			for i := range got {
				load.Go(func() (err error) {
					got[i].Answer, err = s.Get(ctx, infrastructure.EndpointGateway, paths[i%len(paths)])
					return err
				})
			}
			Expect(load.Wait()).To(Succeed())
			Expect(statuses(got)).To(Equal(map[int]int{http.StatusOK: probes * len(paths)}))
			Expect(statuses(answers)).To(Equal(map[int]int{http.StatusCreated: signals}))
			Expect(s.requests(ctx, ns)).To(HaveLen(signals))
		})
	})
}
