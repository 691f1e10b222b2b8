package signalprocessing

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

func (s *system) enrichment() {
	Describe("Enrichment", Label("enrichment"), func() {
		for _, c := range []struct {
			label       string
			severity    v1alpha1.Severity
			environment string
			source      v1alpha1.EnvironmentSource
			want        v1alpha1.Priority
		}{
			{"production", v1alpha1.SeverityCritical, "production", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP0},
			{"production", v1alpha1.SeverityWarning, "production", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP1},
			{"production", v1alpha1.SeverityInfo, "production", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP3},
			{"staging", v1alpha1.SeverityCritical, "staging", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP1},
			{"staging", v1alpha1.SeverityWarning, "staging", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP2},
			{"development", v1alpha1.SeverityCritical, "development", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP3},
			{"qa", v1alpha1.SeverityCritical, "qa", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP2},
			{"", v1alpha1.SeverityCritical, "unknown", v1alpha1.EnvironmentFromDefault, v1alpha1.PriorityP1},
			{"", v1alpha1.SeverityInfo, "unknown", v1alpha1.EnvironmentFromDefault, v1alpha1.PriorityP3},
		} {
			It(fmt.Sprintf("gives a %s signal from %q priority %s", c.severity, c.label, c.want), SpecTimeout(specBudget), func(ctx SpecContext) {
				request := s.create(ctx, s.namespaceOf(ctx, c.label), c.severity)
				s.expectEnriched(ctx, request, c.environment, c.source, c.want)
			})
		}

		It("takes the environment of the target, not of the request", SpecTimeout(specBudget), func(ctx SpecContext) {
			request := newRequest(s.namespaceOf(ctx, "development"), v1alpha1.SeverityCritical)
			request.Spec.TargetResource.Namespace = s.namespaceOf(ctx, "production")
			Expect(s.Kube.Create(ctx, request)).To(Succeed())
			s.expectEnriched(ctx, request, "production", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP0)
		})

		It("has the default for a namespace that does not exist", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespaceOf(ctx, "production")
			request := newRequest(ns, v1alpha1.SeverityWarning)
			request.Spec.TargetResource.Namespace = ns + "-missing"
			Expect(s.Kube.Create(ctx, request)).To(Succeed())
			s.expectEnriched(ctx, request, "unknown", v1alpha1.EnvironmentFromDefault, v1alpha1.PriorityP2)
		})

		It("has the default for a target of the whole cluster", SpecTimeout(specBudget), func(ctx SpecContext) {
			request := newRequest(s.namespaceOf(ctx, "production"), v1alpha1.SeverityWarning)
			request.Spec.TargetResource = v1alpha1.TargetResource{Kind: "Node", Name: "node-1"}
			Expect(s.Kube.Create(ctx, request)).To(Succeed())
			s.expectEnriched(ctx, request, "unknown", v1alpha1.EnvironmentFromDefault, v1alpha1.PriorityP2)
		})
	})
}

func (s *system) phases() {
	Describe("A request", Label("phases"), func() {
		It("keeps what the Gateway counts in its status", SpecTimeout(specBudget), func(ctx SpecContext) {
			request := s.create(ctx, s.namespaceOf(ctx, "staging"), v1alpha1.SeverityWarning)
			counted := request.DeepCopy()
			counted.Status.Deduplication = &v1alpha1.DeduplicationStatus{OccurrenceCount: 7}
			Expect(s.Kube.Status().Patch(ctx, counted, client.MergeFrom(request))).To(Succeed())
			now := s.processed(ctx, request)
			Expect(now.Status.Deduplication).To(Equal(&v1alpha1.DeduplicationStatus{OccurrenceCount: 7}))
			Expect(now.Status.Enrichment.Priority).To(Equal(v1alpha1.PriorityP2))
		})

		It("is left alone when it is enriched, whatever happens to it then", SpecTimeout(specBudget), func(ctx SpecContext) {
			request := s.processed(ctx, s.create(ctx, s.namespaceOf(ctx, "staging"), v1alpha1.SeverityCritical))
			changed := request.DeepCopy()
			changed.Spec.Severity = v1alpha1.SeverityInfo
			Expect(s.Kube.Patch(ctx, changed, client.MergeFrom(request))).To(Succeed())
			done := changed.DeepCopy()
			done.Status.OverallPhase = v1alpha1.PhaseCompleted
			Expect(s.Kube.Status().Patch(ctx, done, client.MergeFrom(changed))).To(Succeed())
			Consistently(func(ctx context.Context) (v1alpha1.RemediationRequestStatus, error) {
				now, err := s.fetch(ctx, request)
				return now.Status, err
			}, quiet, testbed.Poll).WithContext(ctx).Should(Equal(done.Status))
			s.expectTrail(ctx, request)
		})

		It("is one of fifty at once: each is enriched, and recorded once", Label("load"), SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespaceOf(ctx, "production")
			requests := make([]*v1alpha1.RemediationRequest, 50)
			for i := range requests {
				requests[i] = s.create(ctx, ns, v1alpha1.SeverityCritical)
			}
			for _, request := range requests {
				s.expectEnriched(ctx, request, "production", v1alpha1.EnvironmentFromLabel, v1alpha1.PriorityP0)
			}
			for _, request := range requests {
				Eventually(s.TrailTypes, trailBudget, testbed.Poll).WithContext(ctx).
					WithArguments(infrastructure.EndpointDataStorage, request.Name).Should(Equal(trail()))
			}
		})
	})
}

func (s *system) auditTrail() {
	Describe("The audit trail", Label("audit"), func() {
		It("has both steps with all that belongs to them, and no other event", SpecTimeout(specBudget), func(ctx SpecContext) {
			request := s.processed(ctx, s.create(ctx, s.namespaceOf(ctx, "production"), v1alpha1.SeverityCritical))
			s.expectTrail(ctx, request)
			got, err := s.Trail(ctx, infrastructure.EndpointDataStorage, request.Name)
			Expect(err).NotTo(HaveOccurred())
			step := func(action string, at *metav1.MicroTime, data map[string]any) testbed.AuditEvent {
				return testbed.AuditEvent{
					Timestamp: at.UTC(), Type: "signalprocessing.request." + action, Category: workload, Action: action, Outcome: "success",
					Severity: "critical", ActorType: "service", ActorID: workload, ResourceType: "RemediationRequest",
					ResourceID: request.Name, CorrelationID: request.Name, Namespace: request.Namespace, Data: data,
				}
			}
			want := []testbed.AuditEvent{
				step("enriched", request.Status.Enrichment.EnrichedAt, map[string]any{
					"phase": "Processing", "environment": "production", "environment_source": "namespace-label", "priority": "P0",
				}),
				step("accepted", request.Status.Enrichment.AcceptedAt, map[string]any{"phase": "Pending"}),
			}
			for i := range got {
				Expect(got[i].ID).To(HaveLen(36))
				got[i].ID, got[i].Timestamp = "", got[i].Timestamp.UTC()
			}
			Expect(got).To(Equal(want))
		})
	})
}
