package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// The specs of this file are Serial: they stop or add pods that all others use.

func (s *system) restart() {
	Describe("Gateway restart", Serial, Label("restart", "deduplication"), func() {
		It("keeps deduplicating, since Kubernetes is its only memory", SpecTimeout(serialBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			body := webhook(podAlert(ns, "api-0"))
			first := s.send(ctx, call{body: body}).signal(http.StatusCreated)
			s.send(ctx, call{body: body}).signal(http.StatusAccepted)

			s.replaceGateway(ctx)

			after := s.send(ctx, call{body: body}).signal(http.StatusAccepted)
			Expect(after.Name).To(Equal(first.Name))
			Expect(after.OccurrenceCount).To(Equal(int64(3)))
			Expect(occurrences(s.onlyRequest(ctx, ns))).To(Equal(int64(3)))
			// The events of the process that stopped were flushed before it ended.
			s.expectAudit(ctx, first.Name, map[string]int{eventReceived: 1, eventCreated: 1, eventDeduplicated: 2})
		})
	})
}

func (s *system) replicas() {
	Describe("Three replicas", Serial, Label("replicas", "deduplication"), func() {
		It("open one request for 100 identical alerts and count each of them", SpecTimeout(serialBudget), func(ctx SpecContext) {
			const alerts = 100
			ns := s.namespace(ctx)
			DeferCleanup(func(ctx context.Context) {
				s.scale(ctx, "gateway", 1)
				s.awaitGateway(ctx)
			}, NodeTimeout(serialBudget))
			s.scale(ctx, "gateway", 3)

			calls := make([]call, alerts)
			for i := range calls {
				calls[i].body = webhook(podAlert(ns, "api-0"))
			}
			expectOneOf(s.sendAll(ctx, calls), alerts)
			Expect(occurrences(s.onlyRequest(ctx, ns))).To(Equal(int64(alerts)))
		})
	})
}

func (s *system) redisOutage() {
	Describe("Redis outage", Serial, Label("redis", "audit"), func() {
		It("does not stop DataStorage from accepting, and nothing is lost", SpecTimeout(serialBudget), func(ctx SpecContext) {
			ns := s.namespace(ctx)
			trail := map[string]int{eventReceived: 1, eventCreated: 1}
			before := s.send(ctx, call{body: webhook(podAlert(ns, "before"))}).signal(http.StatusCreated)

			DeferCleanup(func(ctx context.Context) { s.scale(ctx, "redis", 1) }, NodeTimeout(serialBudget))
			s.scale(ctx, "redis", 0)

			during := s.send(ctx, call{body: webhook(podAlert(ns, "during"))}).signal(http.StatusCreated)
			s.expectAudit(ctx, during.Name, trail)
			stored := s.storeEvent(ctx, during.Name)
			Expect(stored).To(Equal("stored"), "written directly, for there is no queue")
			ready, err := s.get(ctx, infrastructure.EndpointDataStorage, "/health/ready")
			Expect(err).NotTo(HaveOccurred())
			Expect(ready.status).To(Equal(http.StatusOK), string(ready.body))

			s.scale(ctx, "redis", 1)
			after := s.send(ctx, call{body: webhook(podAlert(ns, "after"))}).signal(http.StatusCreated)
			s.expectAudit(ctx, before.Name, trail)
			s.expectAudit(ctx, after.Name, trail)
			s.expectAudit(ctx, during.Name, map[string]int{eventReceived: 1, eventCreated: 1, "spec.outage.witnessed": 1})
		})
	})
}

// storeEvent sends one event to DataStorage itself, as another service would, and
// returns what became of it.
func (s *system) storeEvent(ctx context.Context, correlation string) string {
	GinkgoHelper()
	a, err := s.postAudit(ctx, auditEvent{
		ID: uuid.NewString(), Version: "1.0", Timestamp: time.Now().UTC(), Type: "spec.outage.witnessed",
		Category: "spec", Action: "witnessed", Outcome: "success", Severity: "info",
		ActorType: "user", ActorID: "spec", ResourceType: "RemediationRequest", ResourceID: correlation,
		CorrelationID: correlation, Data: map[string]any{"redis": "down"},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(a.status).To(Equal(http.StatusCreated), string(a.body))
	var body struct {
		Status string `json:"status"`
	}
	Expect(json.Unmarshal(a.body, &body)).To(Succeed())
	return body.Status
}
