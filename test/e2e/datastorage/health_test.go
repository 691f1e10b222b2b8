package datastorage

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/pkg/openapitest"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

func (s *system) health() {
	Describe("Health", Label("health"), func() {
		It("names the state of both stores", SpecTimeout(specBudget), func(ctx SpecContext) {
			for path, want := range map[string]string{
				routeLive:   `{"status":"alive"}`,
				routeHealth: `{"status":"alive","stores":` + storesAre("up", true, "up") + `}`,
				routeReady:  `{"status":"ready","stores":` + storesAre("up", true, "up") + `}`,
			} {
				a := s.sendCall(ctx, testbed.Call{Method: http.MethodGet, Path: path})
				Expect(a.Status).To(Equal(http.StatusOK), path)
				Expect(a.Body).To(MatchJSON(want), path)
			}
		})
	})
}

func (s *system) openAPI() {
	Describe("Description of the API", Label("openapi"), func() {
		It("holds for what the running service answers", SpecTimeout(specBudget), func(ctx SpecContext) {
			a := s.sendCall(ctx, testbed.Call{Method: http.MethodGet, Path: "/openapi.json"})
			Expect(a.Status).To(Equal(http.StatusOK))
			d, err := openapitest.Parse(a.Body)
			Expect(err).NotTo(HaveOccurred())
			correlation := newCorrelation()
			events := newEvents(correlation, 3)
			json := http.Header{"Content-Type": {"application/json"}}
			for _, e := range []struct {
				call    testbed.Call
				verdict openapitest.Verdict
				status  int
			}{
				{testbed.Call{Method: http.MethodPost, Path: routeEvents, Header: json, Body: encode(events[0])}, openapitest.Sound, http.StatusCreated},
				{testbed.Call{Method: http.MethodPost, Path: routeBatch, Header: json, Body: encode(batchOf(events...))}, openapitest.Sound, http.StatusCreated},
				{testbed.Call{Method: http.MethodPost, Path: routeEvents, Header: json, Body: encode(events[0].with("event_id", "7"))}, openapitest.Faulty, http.StatusBadRequest},
				{testbed.Call{Method: http.MethodGet, Path: routeEvents + "?limit=2&correlation_id=" + correlation}, openapitest.Sound, http.StatusOK},
				{testbed.Call{Method: http.MethodGet, Path: routeReady}, openapitest.Sound, http.StatusOK},
			} {
				answer := s.sendCall(ctx, e.call)
				Expect(answer.Status).To(Equal(e.status), string(answer.Body))
				request, err := http.NewRequestWithContext(ctx, e.call.Method, "http://datastorage"+e.call.Path, bytes.NewReader(e.call.Body))
				Expect(err).NotTo(HaveOccurred())
				request.Header = e.call.Header.Clone()
				if request.Header == nil {
					request.Header = http.Header{}
				}
				Expect(d.Check(request, e.verdict, &http.Response{
					StatusCode: answer.Status, Header: answer.Header, Body: io.NopCloser(bytes.NewReader(answer.Body)),
				})).To(Succeed())
			}
		})
	})
}

// metrics reads what DataStorage counts.
func (s *system) metrics(ctx context.Context) (testbed.Samples, error) {
	return s.Metrics(ctx, infrastructure.EndpointDataStorageMetrics)
}

// metricsExact is Serial: writes of other specs move the same counters.
func (s *system) metricsExact() {
	Describe("Metrics", Serial, Label("metrics"), func() {
		It("grow by exactly what was written, repeated and refused", SpecTimeout(specBudget), func(ctx SpecContext) {
			families := []string{
				"datastorage_audit_events_total", "datastorage_audit_events_duplicate_total", "datastorage_requests_rejected_total",
				"datastorage_write_duration_seconds", "datastorage_queue_replayed_total", "datastorage_queue_dead_total",
			}
			correlation := newCorrelation()
			before, err := s.metrics(ctx)
			Expect(err).NotTo(HaveOccurred())

			events := newEvents(correlation, 5)
			s.storeAll(ctx, events...)
			s.store(ctx, events[0])
			s.send(ctx, routeEvents, events[0].with("event_id", "7"))
			s.send(ctx, routeEvents, newEvent(correlation).with("event_data", map[string]any{"text": strings.Repeat("x", 256<<10)}))
			s.sendCall(ctx, testbed.Call{Method: http.MethodPost, Path: routeEvents, Header: http.Header{"Content-Type": {"text/plain"}}})

			growth := func(ctx context.Context) (testbed.Samples, error) {
				now, err := s.metrics(ctx)
				return now.Moved(before, families...), err
			}
			want := testbed.Samples{
				`datastorage_audit_events_total{result="stored"}`:                   6,
				`datastorage_audit_events_duplicate_total{}`:                        1,
				`datastorage_requests_rejected_total{reason="invalid"}`:             1,
				`datastorage_requests_rejected_total{reason="too_large"}`:           1,
				`datastorage_requests_rejected_total{reason="media_type"}`:          1,
				`datastorage_write_duration_seconds{kind="batch",result="stored"}`:  1,
				`datastorage_write_duration_seconds{kind="single",result="stored"}`: 1,
			}
			Eventually(growth, settleBudget, poll).WithContext(ctx).Should(Equal(want))
			Consistently(growth, quiet, poll).WithContext(ctx).Should(Equal(want))
			now, err := s.metrics(ctx)
			Expect(err).NotTo(HaveOccurred())
			for series, value := range map[string]float64{
				"datastorage_queue_depth{}": 0, "datastorage_queue_lag_seconds{}": 0, "datastorage_queue_dead_depth{}": 0,
				`datastorage_store_up{store="postgresql"}`: 1, `datastorage_store_up{store="redis"}`: 1,
			} {
				Expect(now).To(HaveKeyWithValue(series, value))
			}
		})
	})
}
