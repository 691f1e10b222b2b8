package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

func (s *system) redisOutage() {
	Describe("Redis outage", long, Label("redis", "audit"), func() {
		It("does not stop DataStorage from accepting, and nothing is lost", SpecTimeout(serialBudget), func(ctx SpecContext) {
			own := s.startReady(ctx, instance{
				workloads: []string{"postgresql", "redis", "datastorage", "gateway"},
				spare:     spareOfRedis, spareStorage: spareOfRedisStorage,
			})
			ns, since := s.namespace(ctx), time.Now()
			before := own.send(ctx, call{body: webhook(podAlert(ns, "before"))}).signal(http.StatusCreated)

			own.Scale(ctx, "redis", 0)

			during := own.send(ctx, call{body: webhook(podAlert(ns, "during"))}).signal(http.StatusCreated)
			Eventually(own.auditTypes, auditBudget, poll).WithContext(ctx).WithArguments(during.Name).
				Should(Equal(map[string]int{eventReceived: 1, eventCreated: 1}))
			Expect(own.witness(ctx, during.Name)).To(Equal("stored"), "written directly, for there is no queue")
			ready, err := own.Get(ctx, infrastructure.EndpointDataStorage, "/health/ready")
			Expect(err).NotTo(HaveOccurred())
			Expect(ready.Status).To(Equal(http.StatusOK), string(ready.Body))

			own.Scale(ctx, "redis", 1)
			after := own.send(ctx, call{body: webhook(podAlert(ns, "after"))}).signal(http.StatusCreated)
			own.expectAudit(ctx, during.Name, map[string]int{eventReceived: 1, eventCreated: 1, "spec.outage.witnessed": 1})
			own.expectStored(ctx, ns, since, []signalAnswer{before, during, after})
		})
	})
}

func (s *system) postgresqlOutage() {
	Describe("PostgreSQL outage", longest, Label("postgresql", "audit"), func() {
		It("of 20 s under load leaves every audit event in its place", SpecTimeout(serialBudget), func(ctx SpecContext) {
			own := s.startReady(ctx, instance{
				workloads: []string{"postgresql", "redis", "datastorage", "gateway"},
				spare:     spareOfPostgreSQL, spareStorage: spareOfPostgreSQLStorage,
			})
			Eventually(own.witness, settleBudget, poll).WithContext(ctx).WithArguments("before").Should(Equal("stored"))
			ns, since := s.namespace(ctx), time.Now()
			load := own.startLoad(ctx, ns, 1, 200*time.Millisecond)

			own.Stop(ctx, testbed.PostgreSQL)
			Eventually(own.witness, settleBudget, poll).WithContext(ctx).WithArguments("during").Should(Equal("queued"))
			Consistently(own.witness, outage, 10*poll).WithContext(ctx).WithArguments("during").Should(Equal("queued"))
			own.Begin(ctx, testbed.PostgreSQL)
			Eventually(own.witness, rolloutBudget, poll).WithContext(ctx).WithArguments("after").Should(Equal("stored"))

			own.expectStored(ctx, ns, since, load.stop())
		})
	})
}

func (s *system) dataStorageOutage() {
	Describe("DataStorage outage", longest, Label("datastorage", "audit"), func() {
		It("of 30 s under load changes no answer, and leaves every audit event exactly once", SpecTimeout(serialBudget), func(ctx SpecContext) {
			const few = 4
			own := s.startReady(ctx, instance{
				workloads: []string{"datastorage", "gateway"},
				spare:     spareOfDataStorage, spareStorage: spareOfDataStorageStorage,
			})
			ns, since := s.namespace(ctx), time.Now()
			load := own.startLoad(ctx, ns, 1, 250*time.Millisecond)
			Eventually(load.answered, answerBudget, poll).WithContext(ctx).Should(BeNumerically(">=", few))

			own.Scale(ctx, "datastorage", 0)
			Consistently(func(ctx context.Context) error {
				a, err := own.Get(ctx, infrastructure.EndpointDataStorage, "/health/live")
				if err == nil && a.Header.Get("X-Request-ID") == "" {
					// What is on the way to a pod that has gone may say anything.
					err = fmt.Errorf("what answers is not DataStorage: %d %v", a.Status, a.Header)
				}
				return err
			}, longOutage, 10*poll).WithContext(ctx).Should(HaveOccurred(), "nobody is there")
			own.Scale(ctx, "datastorage", 1)
			after := load.answered()
			Eventually(load.answered, rolloutBudget, poll).WithContext(ctx).Should(BeNumerically(">=", after+few))

			own.expectStored(ctx, ns, since, load.stop())
		})
	})
}

// witness sends one event to DataStorage itself, as another service would, and
// returns what became of it.
func (s *system) witness(ctx context.Context, correlation string) (string, error) {
	a, err := s.postAudit(ctx, auditEvent{
		ID: uuid.NewString(), Version: "1.0", Timestamp: time.Now().UTC(), Type: "spec.outage.witnessed",
		Category: "spec", Action: "witnessed", Outcome: "success", Severity: "info",
		ActorType: "user", ActorID: "spec", ResourceType: "RemediationRequest", ResourceID: correlation,
		CorrelationID: correlation, Data: map[string]any{"store": "down"},
	})
	if err != nil {
		return "", err
	}
	var body struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return "", err
	}
	want := map[string]int{"stored": http.StatusCreated, "queued": http.StatusAccepted}
	if want[body.Status] != a.Status {
		return "", StopTrying("DataStorage answered " + string(a.Body))
	}
	return body.Status, nil
}
