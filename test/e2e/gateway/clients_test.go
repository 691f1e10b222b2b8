package gateway

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

// alertmanager is about the real one: what specs hand to it goes the way of a real
// alert, grouped, signed with a token of its own and sent when it sees fit.
func (s *system) alertmanager() {
	Describe("Alertmanager", Label("clients"), func() {
		It("opens one request that holds everything it sent", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			raised := ruleAlert(ns, "api-0").with("team", "payments")
			before := time.Now().Truncate(time.Second)
			s.raise(ctx, raised)
			s.expectDeliveries(ctx, ns, delivered(http.StatusCreated, "created"))

			rr := s.onlyRequest(ctx, ns)
			Expect(occurrences(rr)).To(Equal(int64(1)))
			// Alertmanager adds its own fingerprint, and no end while an alert fires.
			sent := raised
			sent.EndsAt, sent.Fingerprint = time.Time{}, labelsFingerprint(raised)
			Expect(rr.Spec.OriginalPayload).To(MatchJSON(encode(sent)))
			Expect(rr.Spec.FiringTime.Time).To(BeTemporally("==", raised.StartsAt))
			Expect(rr.Spec.ReceivedTime.Time).To(BeTemporally(">=", before))
			Expect(rr.Spec.ReceivedTime.Time).To(BeTemporally("<=", time.Now()))
			rr.Spec.FiringTime, rr.Spec.ReceivedTime, rr.Spec.OriginalPayload = metav1.Time{}, metav1.Time{}, ""
			Expect(rr.Spec).To(Equal(v1alpha1.RemediationRequestSpec{
				SignalFingerprint: fingerprint(ruleName(ns), ns, "Pod", "api-0"),
				SignalName:        ruleName(ns),
				Severity:          v1alpha1.SeverityCritical,
				SignalType:        v1alpha1.SignalTypePrometheusAlert,
				SignalSource:      "prometheus",
				TargetType:        v1alpha1.TargetTypeKubernetes,
				TargetResource:    v1alpha1.TargetResource{Kind: "Pod", Name: "api-0", Namespace: ns},
				SignalLabels:      raised.Labels,
				SignalAnnotations: raised.Annotations,
			}))
		})

		It("sends an alert once that Prometheus repeats", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			raised := ruleAlert(ns, "api-0")
			s.raise(ctx, raised)
			s.awaitDeliveries(ctx, ns, delivered(http.StatusCreated, "created"))

			raised.EndsAt = raised.EndsAt.Add(time.Minute)
			s.raise(ctx, raised)
			Expect(s.ends(ctx, ns)).To(Equal([]time.Time{raised.EndsAt}))
			s.expectDeliveries(ctx, ns, delivered(http.StatusCreated, "created"))
			Expect(occurrences(s.onlyRequest(ctx, ns))).To(Equal(int64(1)))
		})

		It("sends a group as one webhook, of which each alert becomes a request", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			s.raise(ctx, ruleAlert(ns, "api-0").sinceNow(), ruleAlert(ns, "api-1").sinceNow())
			s.expectDeliveries(ctx, ns, delivered(http.StatusMultiStatus, "created", "created"))
			Expect(s.counts(ctx, ns)).To(Equal(map[string]int64{"api-0": 1, "api-1": 1}))
		})

		It("sends a group again that an alert has joined; the known one is counted", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			s.raise(ctx, ruleAlert(ns, "api-0"))
			s.awaitDeliveries(ctx, ns, delivered(http.StatusCreated, "created"))
			s.raise(ctx, ruleAlert(ns, "api-1"))
			s.expectDeliveries(ctx, ns,
				delivered(http.StatusCreated, "created"), delivered(http.StatusMultiStatus, "created", "duplicate"))
			Expect(s.counts(ctx, ns)).To(Equal(map[string]int64{"api-0": 2, "api-1": 1}))
		})

		It("says that a problem is over, which leaves its request as it is", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			raised := ruleAlert(ns, "api-0")
			s.raise(ctx, raised)
			s.awaitDeliveries(ctx, ns, delivered(http.StatusCreated, "created"))
			before := s.onlyRequest(ctx, ns)
			s.raise(ctx, raised.resolved())
			s.expectDeliveries(ctx, ns,
				delivered(http.StatusCreated, "created"), delivered(http.StatusOK, "signal resolved"))
			Expect(s.onlyRequest(ctx, ns)).To(Equal(before))
		})

		It("opens another request when a remedied problem comes back, not when it is over", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			raised := ruleAlert(ns, "api-0")
			s.raise(ctx, raised)
			s.awaitDeliveries(ctx, ns, delivered(http.StatusCreated, "created"))
			first := s.onlyRequest(ctx, ns)
			s.setPhase(ctx, signalAnswer{Namespace: ns, Name: first.Name}, v1alpha1.PhaseCompleted)
			s.raise(ctx, raised.resolved())
			s.awaitDeliveries(ctx, ns,
				delivered(http.StatusCreated, "created"), delivered(http.StatusOK, "signal resolved"))
			Expect(s.onlyRequest(ctx, ns).Name).To(Equal(first.Name))

			s.raise(ctx, raised.sinceNow())
			s.expectDeliveries(ctx, ns, delivered(http.StatusCreated, "created"),
				delivered(http.StatusOK, "signal resolved"), delivered(http.StatusCreated, "created"))
			Expect(s.requests(ctx, ns)).To(HaveLen(2))
		})
	})
}

// counts maps the targets of the requests in a namespace to the signals that each
// request stands for.
func (s *system) counts(ctx context.Context, namespace string) map[string]int64 {
	GinkgoHelper()
	counts := map[string]int64{}
	for _, rr := range s.requests(ctx, namespace) {
		name := rr.Spec.TargetResource.Name
		Expect(counts).NotTo(HaveKey(name), "two requests about "+name)
		counts[name] = occurrences(rr)
	}
	return counts
}

// labelsFingerprint is how Alertmanager itself identifies an alert.
func labelsFingerprint(a alert) string {
	labels := model.LabelSet{}
	for name, value := range a.Labels {
		labels[model.LabelName(name)] = model.LabelValue(value)
	}
	return labels.Fingerprint().String()
}
