package gateway

import (
	"context"
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// countedSignals are the families that only signals move.
func countedSignals() []string {
	return []string{
		"gateway_signals_received_total", "gateway_signals_deduplicated_total", "gateway_signals_rejected_total",
		"gateway_crds_created_total", "gateway_crd_creation_errors_total",
	}
}

// expectGrowth does something and asserts what the signals in it added to the
// metrics: these series, by these amounts, and no other one.
func (s *system) expectGrowth(ctx context.Context, want testbed.Samples, do func()) {
	GinkgoHelper()
	before, err := s.metrics(ctx)
	Expect(err).NotTo(HaveOccurred())
	do()
	growth := func(ctx context.Context) (testbed.Samples, error) {
		now, err := s.metrics(ctx)
		return now.Moved(before, countedSignals()...), err
	}
	// A request is counted when its answer has been written, a moment after the
	// sender has read it.
	Eventually(growth, settleBudget, poll).WithContext(ctx).Should(Equal(want))
	Consistently(growth, quiet, poll).WithContext(ctx).Should(Equal(want))
}

// metricsExact is Serial: signals of other specs move the same counters.
func (s *system) metricsExact() {
	Describe("Metrics", Serial, Label("metrics"), func() {
		It("grow by exactly what was received, created, counted and audited", SpecTimeout(serialBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			// Events of the specs before this one must not be counted here.
			Eventually(s.metrics, auditBudget, poll).WithContext(ctx).
				Should(HaveKeyWithValue("gateway_audit_buffer_events{}", 0.0))
			before, err := s.metrics(ctx)
			Expect(err).NotTo(HaveOccurred())
			s.expectGrowth(ctx, testbed.Samples{
				`gateway_signals_received_total{severity="critical",source_type="prometheus-alert"}`: 3,
				`gateway_signals_received_total{severity="info",source_type="prometheus-alert"}`:     1,
				`gateway_signals_received_total{severity="warning",source_type="kubernetes-event"}`:  1,
				`gateway_crds_created_total{source_type="prometheus-alert",status="created"}`:        2,
				`gateway_crds_created_total{source_type="kubernetes-event",status="created"}`:        1,
				`gateway_signals_deduplicated_total{source_type="prometheus-alert"}`:                 2,
			}, func() {
				for _, status := range []int{http.StatusCreated, http.StatusAccepted, http.StatusAccepted} {
					s.send(ctx, call{body: webhook(podAlert(ns, "api-0"))}).signal(status)
				}
				s.send(ctx, call{body: webhook(podAlert(ns, "api-1").with("severity", "info"))}).signal(http.StatusCreated)
				s.send(ctx, call{path: routeEvent, body: encode(coreEvent(ns, "api-2", "BackOff"))}).signal(http.StatusCreated)
			})
			// Three requests make two events each, two duplicates one each.
			const sent = `gateway_audit_events_total{outcome="sent"}`
			Eventually(func(ctx context.Context) (testbed.Samples, error) {
				now, err := s.metrics(ctx)
				return now.Moved(before, "gateway_audit_events_total"), err
			}, auditBudget, poll).WithContext(ctx).Should(Equal(testbed.Samples{sent: 8}))
		})

		It("observe each request once, by its route", SpecTimeout(serialBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			before, err := s.metrics(ctx)
			Expect(err).NotTo(HaveOccurred())
			s.send(ctx, call{body: webhook(podAlert(ns, "api-0"))}).signal(http.StatusCreated)
			s.send(ctx, call{body: []byte("{")}).invalid()
			s.send(ctx, call{path: "/nowhere"}).Problem(http.StatusNotFound, "not-found", "/nowhere")
			Eventually(func(ctx context.Context) (testbed.Samples, error) {
				now, err := s.metrics(ctx)
				return without(now.Moved(before, "gateway_http_request_duration_seconds"), "/health", "/healthz", "/ready", "/readyz"), err
			}, settleBudget, poll).WithContext(ctx).Should(Equal(testbed.Samples{
				observed(routePrometheus, 201): 1, observed(routePrometheus, 400): 1, observed("unmatched", 404): 1,
			}))
		})
	})
}

// observed is the series of the answers to POST requests.
func observed(endpoint string, status int) string {
	return fmt.Sprintf(`gateway_http_request_duration_seconds{endpoint=%q,method="POST",status="%d"}`, endpoint, status)
}

// metricsOfRefusals is Serial for the same reason.
func (s *system) metricsOfRefusals() {
	Describe("Metrics of refusals", Serial, Label("metrics"), func() {
		It("tell each reason once, and nothing was received", SpecTimeout(serialBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			body := webhook(podAlert(ns, "api-0"))
			s.expectGrowth(ctx, testbed.Samples{
				`gateway_signals_rejected_total{reason="authentication"}`: 1,
				`gateway_signals_rejected_total{reason="authorization"}`:  1,
				`gateway_signals_rejected_total{reason="body_too_large"}`: 1,
				`gateway_signals_rejected_total{reason="media_type"}`:     1,
				`gateway_signals_rejected_total{reason="timestamp"}`:      1,
				`gateway_signals_rejected_total{reason="malformed"}`:      1,
				`gateway_signals_rejected_total{reason="validation"}`:     1,
			}, func() {
				got := statuses(s.sendAll(ctx, []call{
					{body: body, header: map[string]string{"Authorization": ""}},
					{body: body, header: map[string]string{"Authorization": "Bearer " + s.stranger}},
					{body: padded(body, bodyLimit+1)},
					{body: body, header: map[string]string{"Content-Type": "text/plain"}},
					{body: body, header: map[string]string{"X-Timestamp": "1"}},
					{body: []byte("{")},
					{body: webhook(podAlert(ns, "api-0").with("alertname", ""))},
				}))
				Expect(got).To(Equal(map[int]int{400: 3, 401: 1, 403: 1, 413: 1, 415: 1}))
			})
			Expect(s.requests(ctx, ns)).To(BeEmpty())
		})
	})
}
