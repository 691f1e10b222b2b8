package gateway

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

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

// realEvents forwards what the cluster reports about pods that really fail.
func (s *system) realEvents() {
	Describe("Events of the cluster", Label("clients"), func() {
		DescribeTable("about a pod that fits on no node become one critical request",
			func(ctx SpecContext, api func() rest.Interface) {
				ns := s.namespace(ctx)
				pod := s.troubledPod(ctx, ns)
				pod.Spec.NodeSelector = map[string]string{"hybrid.test/no-node": "has-this"}
				Expect(s.Kube.Create(ctx, pod)).To(Succeed())
				event := s.awaitEvent(ctx, pod, "FailedScheduling", 1)

				body := s.serialised(ctx, api(), event)
				s.send(ctx, call{path: routeEvent, body: body}).signal(http.StatusCreated)
				s.expectEventRequest(ctx, event, body, v1alpha1.SeverityCritical,
					map[string]string{"component": "default-scheduler"})
			},
			entry("read by core/v1", func() rest.Interface { return s.Clientset.CoreV1().RESTClient() }),
			entry("read by events.k8s.io/v1", func() rest.Interface { return s.Clientset.EventsV1().RESTClient() }),
		)

		It("about a pod that crashes become one request, whichever API they are read by", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			pod := s.troubledPod(ctx, ns)
			Expect(s.Kube.Create(ctx, pod)).To(Succeed())
			event := s.awaitEvent(ctx, pod, "BackOff", 1)
			core, events := s.Clientset.CoreV1().RESTClient(), s.Clientset.EventsV1().RESTClient()
			body := s.serialised(ctx, core, event)
			first := s.send(ctx, call{path: routeEvent, body: body}).signal(http.StatusCreated)
			s.expectEventRequest(ctx, event, body, v1alpha1.SeverityWarning,
				map[string]string{"component": "kubelet", "host": event.Source.Host})

			s.touch(ctx, pod)
			again := s.awaitEvent(ctx, pod, "BackOff", event.Count+1)
			Expect(again.UID).To(Equal(event.UID))
			for i, api := range []rest.Interface{core, events} {
				a := s.send(ctx, call{path: routeEvent, body: s.serialised(ctx, api, again)}).signal(http.StatusAccepted)
				Expect(a.Name).To(Equal(first.Name))
				Expect(a.OccurrenceCount).To(Equal(int64(i + 2)))
				Expect(occurrences(s.onlyRequest(ctx, ns))).To(Equal(int64(i + 2)))
			}
		})
	})
}

// expectEventRequest asserts that the namespace of the event holds one request,
// which says what the event said when it was sent as body.
func (s *system) expectEventRequest(ctx context.Context, event *corev1.Event, body []byte,
	severity v1alpha1.Severity, origin map[string]string,
) {
	GinkgoHelper()
	about := event.InvolvedObject
	rr := s.onlyRequest(ctx, about.Namespace)
	Expect(rr.Spec.OriginalPayload).To(Equal(strings.TrimSpace(string(body))))
	Expect(rr.Spec.FiringTime.Time).To(BeTemporally("==", begin(event)))
	rr.Spec.FiringTime, rr.Spec.ReceivedTime, rr.Spec.OriginalPayload = metav1.Time{}, metav1.Time{}, ""
	labels := map[string]string{"reason": event.Reason, "type": "Warning"}
	maps.Copy(labels, origin)
	Expect(rr.Spec).To(Equal(v1alpha1.RemediationRequestSpec{
		SignalFingerprint: fingerprint(event.Reason, about.Namespace, "Pod", about.Name),
		SignalName:        event.Reason,
		Severity:          severity,
		SignalType:        v1alpha1.SignalTypeKubernetesEvent,
		SignalSource:      "kubernetes-events",
		TargetType:        v1alpha1.TargetTypeKubernetes,
		TargetResource:    v1alpha1.TargetResource{Kind: "Pod", Name: about.Name, Namespace: about.Namespace},
		SignalLabels:      labels,
		SignalAnnotations: map[string]string{"message": event.Message},
	}))
}
