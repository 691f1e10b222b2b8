package gateway

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
)

// The specs of this file disturb what they test, so each has an instance of its
// own: others need not wait for it.

func (s *system) restart() {
	Describe("Gateway restart", long, Label("restart", "deduplication"), func() {
		It("keeps deduplicating, since Kubernetes is its only memory", SpecTimeout(serialBudget), func(ctx SpecContext) {
			own := s.startReady(ctx, instance{workloads: []string{"gateway"}, spare: spareOfRestart})
			ns := s.namespace(ctx)
			body := webhook(podAlert(ns, "api-0"))
			first := own.send(ctx, call{body: body}).signal(http.StatusCreated)
			own.send(ctx, call{body: body}).signal(http.StatusAccepted)

			Expect(own.stopGateway(ctx)).To(Equal(int32(0)), "exit code after SIGTERM")
			own.awaitGateway(ctx)

			after := own.send(ctx, call{body: body}).signal(http.StatusAccepted)
			Expect(after.Name).To(Equal(first.Name))
			Expect(after.OccurrenceCount).To(Equal(int64(3)))
			Expect(occurrences(s.onlyRequest(ctx, ns))).To(Equal(int64(3)))
			// The events of the process that stopped were flushed before it ended.
			own.expectAudit(ctx, first.Name, map[string]int{eventReceived: 1, eventCreated: 1, eventDeduplicated: 2})
		})
	})
}

func (s *system) replicas() {
	Describe("Three replicas", Label("replicas", "deduplication", "concurrency"), func() {
		It("count 100 identical alerts in one request and keep 50 different ones apart", SpecTimeout(serialBudget), func(ctx SpecContext) {
			const alerts, problems = 100, 50
			own := s.start(ctx, instance{workloads: []string{"gateway"}, spare: spareOfReplicas, adjust: func(d *appsv1.Deployment) {
				d.Spec.Replicas = new(int32(3))
			}})
			own.AwaitReady(ctx, "gateway", 3)
			own.awaitGateway(ctx)

			same, different := s.namespace(ctx), s.namespace(ctx)
			identical, distinct := make([]call, alerts), make([]call, problems)
			for i := range identical {
				identical[i].body = webhook(podAlert(same, "api-0"))
			}
			for i := range distinct {
				distinct[i].body = webhook(podAlert(different, fmt.Sprintf("api-%d", i)))
			}
			expectOneOf(own.sendAll(ctx, identical), alerts)
			Expect(occurrences(s.onlyRequest(ctx, same))).To(Equal(int64(alerts)))
			Expect(statuses(own.sendAll(ctx, distinct))).To(Equal(map[int]int{http.StatusCreated: problems}))
			requests := s.requests(ctx, different)
			Expect(requests).To(HaveLen(problems))
			for _, rr := range requests {
				Expect(occurrences(rr)).To(Equal(int64(1)))
			}
		})
	})
}

func (s *system) rollingUpdate() {
	Describe("Rolling update", long, Label("restart"), func() {
		It("of the Gateway under load fails no request", SpecTimeout(serialBudget), func(ctx SpecContext) {
			own := s.startReady(ctx, instance{
				workloads: []string{"gateway"}, spare: spareOfRollingUpdate,
				// kube-proxy forgets an endpoint within a second or two; here it shares
				// two processors with all other specs.
				config: s.deployedConfig() + "\nshutdown:\n  delay: 8s\n",
			})
			ns, since := s.namespace(ctx), time.Now()
			load := own.startLoad(ctx, ns, 2, 200*time.Millisecond)
			before, err := own.ReadyPods(ctx, "gateway")
			Expect(err).NotTo(HaveOccurred())

			own.Patch(ctx, "gateway", `{"spec":{"template":{"metadata":{"annotations":{"spec":"updated"}}}}}`)
			Eventually(own.ReadyPods, rolloutBudget, poll).WithContext(ctx).WithArguments("gateway").
				Should(And(HaveLen(1), Not(Equal(before))))
			after := load.answered()
			Eventually(load.answered, answerBudget, poll).WithContext(ctx).Should(BeNumerically(">", after+10), "answers of the new pod")

			s.expectStored(ctx, ns, since, load.stop())
		})
	})
}

func (s *system) stopInABurst() {
	Describe("SIGTERM", long, Label("restart"), func() {
		It("during a burst loses nothing that was accepted", SpecTimeout(serialBudget), func(ctx SpecContext) {
			const senders, each = 20, 6
			own := s.startReady(ctx, instance{
				workloads: []string{"gateway"}, spare: spareOfBurst,
				// Without the pause for load balancers the senders meet the closed door.
				config: s.deployedConfig() + quickStop,
			})
			ns, since := s.namespace(ctx), time.Now()
			b := own.startBurst(ctx, ns, senders, each)
			Eventually(b.answered, answerBudget).WithContext(ctx).Should(BeNumerically(">=", senders))
			Expect(own.stopGateway(ctx)).To(Equal(int32(0)), "exit code after SIGTERM")
			b.wait()

			requests, events := s.requests(ctx, ns), map[string]int{}
			Expect(requests).To(HaveLen(senders * each))
			for _, rr := range requests {
				tries := b.tries(rr.Spec.TargetResource.Name)
				Expect(occurrences(rr)).To(And(BeNumerically(">=", 1), BeNumerically("<=", tries)))
				// Received and created, and one for each alert that came again.
				events[rr.Name] = 1 + int(occurrences(rr))
			}
			Eventually(s.auditIn, auditBudget, poll).WithContext(ctx).WithArguments(ns, since).Should(Equal(events))
		})
	})
}

func (s *system) reload() {
	Describe("Configuration", Label("configuration"), func() {
		It("takes effect without a restart, and is kept when the new one makes no sense", SpecTimeout(serialBudget), func(ctx SpecContext) {
			own := s.startReady(ctx, instance{workloads: []string{"gateway"}, spare: spareOfReload, config: s.deployedConfig()})
			ns := s.namespace(ctx)
			body := webhook(podAlert(ns, "api-0"))
			own.send(ctx, call{body: body}).signal(http.StatusCreated)

			own.configure(ctx, s.deployedConfig()+"\nserver:\n  max_body_bytes: 64\n")
			answered := func(ctx context.Context) (int, error) {
				a, err := own.post(ctx, call{body: body})
				return a.Status, err
			}
			Eventually(answered, rolloutBudget, poll).WithContext(ctx).Should(Equal(http.StatusRequestEntityTooLarge))

			own.configure(ctx, s.deployedConfig()+"\nserver:\n  max_body_bites: 1\n")
			Eventually(func(ctx context.Context) (string, error) {
				log, err := own.gatewayLog(ctx, time.Time{})
				return string(log), err
			}, rolloutBudget, poll).WithContext(ctx).Should(And(
				ContainSubstring("the changed configuration is refused"), ContainSubstring("field max_body_bites not found")))
			Expect(answered(ctx)).To(Equal(http.StatusRequestEntityTooLarge), "what held before still holds")
			pods, err := own.Pods(ctx, "gateway")
			Expect(err).NotTo(HaveOccurred())
			Expect(pods).To(HaveLen(1))
			Expect(pods[0].Status.ContainerStatuses[0].RestartCount).To(Equal(int32(0)))
		})
	})
}
