package gateway

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

func (s *system) deduplication() {
	Describe("Deduplication", Label("deduplication"), func() {
		It("counts a repeated alert in the request that is open", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			body := webhook(podAlert(ns, "api-0"))

			first := s.send(ctx, call{body: body}).signal(http.StatusCreated)
			Expect(first.Status).To(Equal("created"))
			Expect(first.OccurrenceCount).To(Equal(int64(1)))
			Expect(s.onlyRequest(ctx, ns).Status.Deduplication).To(Equal(&v1alpha1.DeduplicationStatus{OccurrenceCount: 1}))

			for occurrence := int64(2); occurrence <= 4; occurrence++ {
				again := s.send(ctx, call{body: body}).signal(http.StatusAccepted)
				Expect(again).To(Equal(signalAnswer{
					Status: "duplicate", Fingerprint: first.Fingerprint, Name: first.Name, Namespace: ns,
					OccurrenceCount: occurrence, RequestID: again.RequestID,
				}))
				Expect(again.RequestID).NotTo(Equal(first.RequestID))
			}

			rr := s.onlyRequest(ctx, ns)
			Expect(rr.Name).To(Equal(first.Name))
			Expect(rr.Status.Deduplication).NotTo(BeNil())
			Expect(rr.Status.Deduplication.OccurrenceCount).To(Equal(int64(4)))
			Expect(rr.Status.Deduplication.FirstSeenAt.Time).To(BeTemporally("==", rr.Spec.ReceivedTime.Time))
			Expect(rr.Status.Deduplication.LastSeenAt.Time).To(BeTemporally(">=", rr.Spec.ReceivedTime.Time))
		})
	})
}

func (s *system) phases() {
	Describe("Phases", Label("deduplication", "phases"), func() {
		DescribeTable("an alert joins a request that is not over",
			func(ctx SpecContext, phase v1alpha1.Phase) {
				ns := s.namespace(ctx)
				body := webhook(podAlert(ns, "api-0"))
				first := s.send(ctx, call{body: body}).signal(http.StatusCreated)
				s.setPhase(ctx, first, phase)

				again := s.send(ctx, call{body: body}).signal(http.StatusAccepted)
				Expect(again.Status).To(Equal("duplicate"))
				Expect(again.Name).To(Equal(first.Name))
				Expect(again.OccurrenceCount).To(Equal(int64(2)))

				rr := s.onlyRequest(ctx, ns)
				Expect(occurrences(rr)).To(Equal(int64(2)))
				Expect(rr.Status.OverallPhase).To(Equal(phase), "the Gateway does not touch the phase")
			},
			entry("Pending", v1alpha1.Phase("Pending")),
			entry("Processing", v1alpha1.Phase("Processing")),
			entry("a phase that the Gateway does not know", v1alpha1.Phase("AwaitingFullMoon")),
		)

		DescribeTable("an alert opens a new request when the last one is over",
			func(ctx SpecContext, phase v1alpha1.Phase) {
				ns := s.namespace(ctx)
				body := webhook(podAlert(ns, "api-0"))
				first := s.send(ctx, call{body: body}).signal(http.StatusCreated)
				s.setPhase(ctx, first, phase)

				second := s.send(ctx, call{body: body}).signal(http.StatusCreated)
				Expect(second.Status).To(Equal("created"))
				Expect(second.Fingerprint).To(Equal(first.Fingerprint))
				Expect(second.Name).NotTo(Equal(first.Name))
				Expect(second.OccurrenceCount).To(Equal(int64(1)))

				third := s.send(ctx, call{body: body}).signal(http.StatusAccepted)
				Expect(third.Name).To(Equal(second.Name))
				Expect(third.OccurrenceCount).To(Equal(int64(2)))

				Expect(s.requests(ctx, ns)).To(HaveLen(2))
				Expect(occurrences(*s.request(ctx, first))).To(Equal(int64(1)))
				Expect(occurrences(*s.request(ctx, second))).To(Equal(int64(2)))
			},
			entry("Completed", v1alpha1.PhaseCompleted),
			entry("Failed", v1alpha1.PhaseFailed),
			entry("TimedOut", v1alpha1.PhaseTimedOut),
			entry("Skipped", v1alpha1.PhaseSkipped),
			entry("Cancelled", v1alpha1.PhaseCancelled),
		)
	})
}
