package gateway

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func (s *system) auditTrail() {
	Describe("Audit trail", Label("audit"), func() {
		It("of a request holds exactly what the Gateway did", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			body := webhook(podAlert(ns, "api-0"))
			a := s.send(ctx, call{body: body}).signal(http.StatusCreated)
			s.send(ctx, call{body: body}).signal(http.StatusAccepted)
			s.send(ctx, call{body: body}).signal(http.StatusAccepted)

			s.expectAudit(ctx, a.Name, map[string]int{eventReceived: 1, eventCreated: 1, eventDeduplicated: 2})
			page, err := s.audit(ctx, a.Name)
			Expect(err).NotTo(HaveOccurred())
			Expect(page.Pagination.Total).To(Equal(4))
			Expect(page.Pagination.HasMore).To(BeFalse())
			actions := map[string]string{
				eventReceived: "received", eventCreated: "created", eventDeduplicated: "deduplicated",
			}
			ids := map[string]bool{}
			for _, e := range page.Data {
				ids[e.ID] = true
				Expect(e.ID).To(MatchRegexp(uuidPattern))
				Expect(e.Timestamp).To(BeTemporally("~", time.Now(), auditBudget+answerBudget))
				Expect(e).To(Equal(auditEvent{
					ID: e.ID, Version: "1.0", Timestamp: e.Timestamp, Type: e.Type,
					Category: "gateway", Action: actions[e.Type], Outcome: "success", Severity: "critical",
					ActorType: "service", ActorID: "gateway",
					ResourceType: "RemediationRequest", ResourceID: a.Name,
					CorrelationID: a.Name, Namespace: ns, Data: e.Data,
				}))
			}
			Expect(ids).To(HaveLen(4))
			Expect(page.Data).To(HaveEach(HaveField("Data", Not(BeNil()))))
		})

		It("of one request has nothing of another", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			first := s.send(ctx, call{body: webhook(podAlert(ns, "api-0"))}).signal(http.StatusCreated)
			second := s.send(ctx, call{body: webhook(podAlert(ns, "api-1"))}).signal(http.StatusCreated)
			created := map[string]int{eventReceived: 1, eventCreated: 1}
			s.expectAudit(ctx, first.Name, created)
			s.expectAudit(ctx, second.Name, created)
		})

		It("has nothing of a signal that was refused or is over", SpecTimeout(specBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			start := time.Now()
			s.send(ctx, call{body: webhook(podAlert(ns, "api-0").resolved())}).signal(http.StatusOK)
			s.send(ctx, call{body: webhook(podAlert(ns, "api-1").with("alertname", ""))}).invalid()
			a := s.send(ctx, call{body: webhook(podAlert(ns, "api-2"))}).signal(http.StatusCreated)

			// Events are sent in their order, so this pair comes last.
			want := map[string]int{a.Name: 2}
			Eventually(s.auditIn, auditBudget, poll).WithContext(ctx).WithArguments(ns, start).Should(Equal(want))
			Consistently(s.auditIn, quiet, poll).WithContext(ctx).WithArguments(ns, start).Should(Equal(want))
		})
	})
}
