package fullpipeline

import (
	"context"
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// The events on the way of an alert.
const (
	received     = "gateway.signal.received"
	created      = "gateway.crd.created"
	deduplicated = "gateway.signal.deduplicated"
	accepted     = "signalprocessing.request.accepted"
	enriched     = "signalprocessing.request.enriched"
)

func (s *system) pipeline() {
	Describe("An alert", Label("pipeline"), func() {
		It("becomes a request with a priority and a trail of both services", SpecTimeout(specBudget), func(ctx SpecContext) {
			own := s.newSender(ctx, "production")
			own.send(ctx, http.StatusCreated, own.alert("api-0", "critical", "firing"))
			request := own.requests(ctx, 1)[0]
			Expect(request.Spec.TargetResource).To(Equal(v1alpha1.TargetResource{Kind: "Pod", Name: "api-0", Namespace: own.namespace}))
			e := request.Status.Enrichment
			Expect(*e).To(Equal(v1alpha1.EnrichmentStatus{
				AcceptedAt: e.AcceptedAt, EnrichedAt: e.EnrichedAt, Environment: "production",
				EnvironmentSource: v1alpha1.EnvironmentFromLabel, Priority: v1alpha1.PriorityP0,
			}))
			s.expectTrail(ctx, request.Name, received, created, accepted, enriched)
			events, err := s.Trail(ctx, infrastructure.EndpointDataStorage, request.Name)
			Expect(err).NotTo(HaveOccurred())
			for _, event := range events {
				Expect(event.CorrelationID).To(Equal(request.Name), event.Type)
				Expect(event.Namespace).To(Equal(own.namespace), event.Type)
				Expect(event.Severity).To(Equal("critical"), event.Type)
				Expect(event.Outcome).To(Equal("success"), event.Type)
			}
		})

		It("that comes again is counted, and enriched once", SpecTimeout(specBudget), func(ctx SpecContext) {
			own := s.newSender(ctx, "staging")
			alert := own.alert("api-0", "warning", "firing")
			own.send(ctx, http.StatusCreated, alert)
			first := own.requests(ctx, 1)[0]
			for range 3 {
				own.send(ctx, http.StatusAccepted, alert)
			}
			request := own.requests(ctx, 1)[0]
			Expect(request.Status.Deduplication.OccurrenceCount).To(Equal(int64(4)))
			Expect(request.Status.Enrichment).To(Equal(first.Status.Enrichment))
			s.expectTrail(ctx, request.Name, received, created, accepted, enriched, deduplicated, deduplicated, deduplicated)
		})

		It("about a problem that is over opens a new request with a trail of its own", SpecTimeout(specBudget), func(ctx SpecContext) {
			own := s.newSender(ctx, "production")
			alert := own.alert("api-0", "warning", "firing")
			own.send(ctx, http.StatusCreated, alert)
			first := own.requests(ctx, 1)[0]
			first.Status.OverallPhase = v1alpha1.PhaseCompleted
			Expect(s.Kube.Status().Update(ctx, &first)).To(Succeed())
			own.send(ctx, http.StatusCreated, alert)
			Eventually(own.phases, settleBudget).WithContext(ctx).Should(Equal(map[v1alpha1.Phase]int{v1alpha1.PhaseCompleted: 1, v1alpha1.PhaseProcessing: 1}))
			for _, name := range own.names(ctx) {
				s.expectTrail(ctx, name, received, created, accepted, enriched)
			}
		})

		It("is one of twenty in a body: each has a request, a priority and a trail", SpecTimeout(specBudget), func(ctx SpecContext) {
			own := s.newSender(ctx, "staging")
			alerts := make([]map[string]any, 20)
			for i := range alerts {
				alerts[i] = own.alert(fmt.Sprintf("api-%d", i), "critical", "firing")
			}
			own.send(ctx, http.StatusMultiStatus, alerts...)
			requests := own.requests(ctx, len(alerts))
			for i := range requests {
				Expect(requests[i].Status.Enrichment.Priority).To(Equal(v1alpha1.PriorityP1))
			}
			for i := range requests {
				Eventually(s.TrailTypes, outageBudget).WithContext(ctx).WithArguments(infrastructure.EndpointDataStorage, requests[i].Name).
					Should(ConsistOf(received, created, accepted, enriched))
			}
		})
	})

	Describe("DataStorage that is away", Serial, Label("pipeline", "outage"), func() {
		It("stops no alert, and has the trails of both services when it returns", SpecTimeout(serialBudget), func(ctx SpecContext) {
			own := s.newSender(ctx, "production")
			s.Scale(ctx, "datastorage", 0)
			DeferCleanup(func(ctx context.Context) { s.Scale(ctx, "datastorage", 1) })
			own.send(ctx, http.StatusCreated, own.alert("api-0", "critical", "firing"))
			request := own.requests(ctx, 1)[0]
			Expect(request.Status.Enrichment.Priority).To(Equal(v1alpha1.PriorityP0))
			s.Scale(ctx, "datastorage", 1)
			s.expectTrail(ctx, request.Name, received, created, accepted, enriched)
		})
	})
}
