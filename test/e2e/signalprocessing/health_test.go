package signalprocessing

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

func (s *system) health() {
	Describe("Health", Label("health"), func() {
		for _, path := range []string{"/healthz", "/ready"} {
			It("is answered at "+path, SpecTimeout(specBudget), func(ctx SpecContext) {
				a, err := s.Get(ctx, infrastructure.EndpointSignalProcessing, path)
				Expect(err).NotTo(HaveOccurred())
				Expect(a.Status).To(Equal(http.StatusOK))
				Expect(string(a.Body)).To(Equal("ok"))
			})
		}

		It("is told in lines of JSON", Label("logs"), SpecTimeout(specBudget), func(ctx SpecContext) {
			pods, err := s.ReadyPods(ctx, workload)
			Expect(err).NotTo(HaveOccurred())
			Expect(pods).To(HaveLen(1))
			log, err := s.Clientset.CoreV1().Pods(s.Env.Namespace).GetLogs(pods[0], &corev1.PodLogOptions{}).DoRaw(ctx)
			Expect(err).NotTo(HaveOccurred())
			for line := range bytes.Lines(log) {
				var entry map[string]any
				Expect(json.Unmarshal(line, &entry)).To(Succeed(), string(line))
				Expect(entry).To(HaveKeyWithValue("service", workload), string(line))
			}
		})
	})
}

// metrics is Serial: requests of other specs move the same counters.
func (s *system) metrics() {
	Describe("Metrics", Serial, Label("metrics"), func() {
		It("grow by exactly what happened, with environments that are bounded", SpecTimeout(specBudget), func(ctx SpecContext) {
			families := []string{
				"signalprocessing_requests_accepted_total", "signalprocessing_requests_enriched_total", "signalprocessing_audit_events_total",
			}
			before, err := s.Metrics(ctx, infrastructure.EndpointSignalProcessingMetrics)
			Expect(err).NotTo(HaveOccurred())
			for _, environment := range []string{"production", "production", "a-team", "b-team", ""} {
				s.processed(ctx, s.create(ctx, s.namespaceOf(ctx, environment), v1alpha1.SeverityCritical))
			}
			Eventually(func(ctx context.Context) (testbed.Samples, error) {
				now, err := s.Metrics(ctx, infrastructure.EndpointSignalProcessingMetrics)
				return now.Moved(before, families...), err
			}, trailBudget, testbed.Poll).WithContext(ctx).Should(Equal(testbed.Samples{
				"signalprocessing_requests_accepted_total{}":                                       5,
				`signalprocessing_requests_enriched_total{environment="production",priority="P0"}`: 2,
				`signalprocessing_requests_enriched_total{environment="other",priority="P2"}`:      2,
				`signalprocessing_requests_enriched_total{environment="unknown",priority="P1"}`:    1,
				`signalprocessing_audit_events_total{outcome="sent"}`:                              10,
			}))
		})
	})
}

func (s *system) permissions() {
	Describe("Permissions", Label("security", "rbac"), func() {
		for _, c := range []struct {
			group, resource, sub string
			verbs, never         []string
		}{
			{"kubernaut.ai", "remediationrequests", "", []string{"list", "watch"}, []string{"get", "create", "update", "patch", "delete"}},
			{"kubernaut.ai", "remediationrequests", "status", []string{"patch"}, []string{"get", "update"}},
			{"", "namespaces", "", []string{"get"}, []string{"list", "watch", "create", "update", "patch", "delete"}},
			{"", "secrets", "", nil, []string{"get", "list", "watch"}},
			{"", "configmaps", "", nil, []string{"get", "list", "watch", "update"}},
			{"", "pods", "", nil, []string{"get", "list", "create", "delete"}},
		} {
			It("on "+c.resource+" "+c.sub+" are the least that work", SpecTimeout(specBudget), func(ctx SpecContext) {
				may := func(verb string) bool {
					review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
						User: "system:serviceaccount:" + s.Env.Namespace + ":" + workload,
						ResourceAttributes: &authorizationv1.ResourceAttributes{
							Group: c.group, Resource: c.resource, Subresource: c.sub, Verb: verb, Namespace: s.Env.Namespace,
						},
					}}
					Expect(s.Kube.Create(ctx, review)).To(Succeed())
					return review.Status.Allowed
				}
				for _, verb := range c.verbs {
					Expect(may(verb)).To(BeTrue(), verb)
				}
				for _, verb := range c.never {
					Expect(may(verb)).To(BeFalse(), verb)
				}
			})
		}
	})
}
