package gateway

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

func (s *system) alerts() {
	Describe("Alerts", Label("alerts"), func() {
		It("does not open a request for a problem that is over", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			a := s.send(ctx, call{body: webhook(podAlert(ns, "api-0").resolved())}).signal(http.StatusOK)
			Expect(a.Status).To(Equal("resolved"))
			Expect(a.Fingerprint).To(Equal(fingerprint(alertName, ns, "Pod", "api-0")))
			Expect(s.requests(ctx, ns)).To(BeEmpty())
		})

		DescribeTable("takes the target from the first label that names one",
			func(ctx SpecContext, kind string, labels ...string) {
				ns := s.namespace(ctx)
				a := podAlert(ns, "").with("pod", "")
				for _, label := range labels {
					a = a.with(label, label+"-1")
				}
				s.send(ctx, call{body: webhook(a)}).signal(http.StatusCreated)
				Expect(s.onlyRequest(ctx, ns).Spec.TargetResource).To(Equal(v1alpha1.TargetResource{
					Kind: kind, Name: labels[0] + "-1", Namespace: ns,
				}))
			},
			entry("pod", "Pod", "pod", "deployment", "node"),
			entry("deployment", "Deployment", "deployment", "statefulset", "service"),
			entry("statefulset", "StatefulSet", "statefulset", "daemonset"),
			entry("daemonset", "DaemonSet", "daemonset", "job"),
			entry("job", "Job", "job", "node"),
			entry("node", "Node", "node", "service"),
			entry("service", "Service", "service"),
		)

		DescribeTable("knows three severities and takes any other for a warning",
			func(ctx SpecContext, sent string, want v1alpha1.Severity) {
				ns := s.namespace(ctx)
				s.send(ctx, call{body: webhook(podAlert(ns, "api-0").with("severity", sent))}).signal(http.StatusCreated)
				rr := s.onlyRequest(ctx, ns)
				Expect(rr.Spec.Severity).To(Equal(want))
				Expect(rr.Labels).To(HaveKeyWithValue("kubernaut.ai/severity", string(want)))
			},
			entry("critical", "critical", v1alpha1.SeverityCritical),
			entry("warning", "warning", v1alpha1.SeverityWarning),
			entry("info", "info", v1alpha1.SeverityInfo),
			entry("an unknown one", "catastrophic", v1alpha1.SeverityWarning),
			entry("none", "", v1alpha1.SeverityWarning),
		)
	})
}

func (s *system) events() {
	Describe("Kubernetes events", Label("events"), func() {
		DescribeTable("become requests",
			func(ctx SpecContext, build func(namespace, pod, reason string) map[string]any, reason string, severity v1alpha1.Severity) {
				ns := s.namespace(ctx)
				body := encode(build(ns, "api-0", reason))
				a := s.send(ctx, call{path: routeEvent, body: body}).signal(http.StatusCreated)
				Expect(a.Fingerprint).To(Equal(fingerprint(reason, ns, "Pod", "api-0")))

				rr := s.onlyRequest(ctx, ns)
				Expect(rr.Spec.SignalName).To(Equal(reason))
				Expect(rr.Spec.SignalType).To(Equal(v1alpha1.SignalTypeKubernetesEvent))
				Expect(rr.Spec.Severity).To(Equal(severity))
				Expect(rr.Spec.TargetResource).To(Equal(v1alpha1.TargetResource{Kind: "Pod", Name: "api-0", Namespace: ns}))
				Expect(rr.Spec.OriginalPayload).To(MatchJSON(body))
				Expect(rr.Labels).To(HaveKeyWithValue("kubernaut.ai/signal-type", "kubernetes-event"))

				again := s.send(ctx, call{path: routeEvent, body: body}).signal(http.StatusAccepted)
				Expect(again.Name).To(Equal(a.Name))
				Expect(occurrences(s.onlyRequest(ctx, ns))).To(Equal(int64(2)))
			},
			entry("core/v1, critical", coreEvent, "OOMKilled", v1alpha1.SeverityCritical),
			entry("core/v1, warning", coreEvent, "BackOff", v1alpha1.SeverityWarning),
			entry("events.k8s.io/v1, critical", newEvent, "FailedScheduling", v1alpha1.SeverityCritical),
			entry("events.k8s.io/v1, warning", newEvent, "Unhealthy", v1alpha1.SeverityWarning),
		)
	})
}

func (s *system) content() {
	Describe("Request content", Label("content"), func() {
		It("holds everything that the alert said", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			sent := podAlert(ns, "api-0").with("team", "payments")
			before := time.Now().Truncate(time.Second)
			a := s.send(ctx, call{body: webhook(sent)}).signal(http.StatusCreated)
			after := time.Now()

			rr := s.onlyRequest(ctx, ns)
			Expect(rr.Name).To(Equal(a.Name))
			want := fingerprint(alertName, ns, "Pod", "api-0")
			Expect(rr.Labels).To(Equal(map[string]string{
				"app.kubernetes.io/managed-by":    "gateway",
				"kubernaut.ai/signal-type":        "prometheus-alert",
				"kubernaut.ai/severity":           "critical",
				"kubernaut.ai/signal-fingerprint": want[:63],
			}))
			Expect(rr.Spec.FiringTime.Time).To(BeTemporally("==", sent.StartsAt))
			Expect(rr.Spec.ReceivedTime.Time).To(BeTemporally(">=", before))
			Expect(rr.Spec.ReceivedTime.Time).To(BeTemporally("<=", after))
			Expect(rr.Spec.OriginalPayload).To(MatchJSON(encode(sent)))

			rr.Spec.FiringTime, rr.Spec.ReceivedTime, rr.Spec.OriginalPayload = metav1.Time{}, metav1.Time{}, ""
			Expect(rr.Spec).To(Equal(v1alpha1.RemediationRequestSpec{
				SignalFingerprint: want,
				SignalName:        alertName,
				Severity:          v1alpha1.SeverityCritical,
				SignalType:        v1alpha1.SignalTypePrometheusAlert,
				SignalSource:      "prometheus",
				TargetType:        v1alpha1.TargetTypeKubernetes,
				TargetResource:    v1alpha1.TargetResource{Kind: "Pod", Name: "api-0", Namespace: ns},
				SignalLabels:      sent.Labels,
				SignalAnnotations: sent.Annotations,
			}))
		})

		It("cannot be given another fingerprint", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			s.send(ctx, call{body: webhook(podAlert(ns, "api-0"))}).signal(http.StatusCreated)
			rr := s.onlyRequest(ctx, ns)
			s.expectImmutable(ctx, &rr, fingerprint("other", ns, "Pod", "api-0"))
		})
	})
}
