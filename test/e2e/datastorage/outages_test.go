package datastorage

import (
	"context"
	"net/http"
	"net/url"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

const (
	// outage is how long one store is away, outageOfAll how long both are.
	outage      = 20 * time.Second
	outageOfAll = 10 * time.Second
)

// onlyStatuses matches the answers of traffic that had each of these and no other.
func onlyStatuses(statuses ...int) gomegatypes.GomegaMatcher {
	have := make([]any, len(statuses))
	for i, status := range statuses {
		have[i] = status
	}
	return WithTransform(func(counts map[int]int) []int {
		var seen []int
		for status := range counts {
			seen = append(seen, status)
		}
		return seen
	}, ConsistOf(have...))
}

// expectWitness waits until an event of another service is answered like that.
func (t *traffic) expectWitness(ctx context.Context, status int) {
	GinkgoHelper()
	Eventually(t.witness, settleBudget, poll).WithContext(ctx).Should(Equal(status))
}

func (s *system) postgresqlOutage() {
	Describe("PostgreSQL", first, Label("fault", "postgresql"), func() {
		It("is away for 20 s under load: every event is queued meanwhile, stored afterwards, in order", SpecTimeout(faultBudget), func(ctx SpecContext) {
			own := s.startReady(ctx, instance{spare: spareOfPostgreSQL})
			t := own.startTraffic(ctx)
			t.expectWitness(ctx, http.StatusCreated)

			own.Stop(ctx, testbed.PostgreSQL)
			t.expectWitness(ctx, http.StatusAccepted)
			a, err := own.Get(ctx, infrastructure.EndpointDataStorage, routeEvents)
			Expect(err).NotTo(HaveOccurred())
			a.Problem(http.StatusServiceUnavailable, "service-unavailable", routeEvents)
			Expect(a.Header.Get("Retry-After")).To(Equal("2"))
			own.awaitStores(ctx, storesAre("down", true, "up"))
			Consistently(t.witness, outage, 10*poll).WithContext(ctx).Should(Equal(http.StatusAccepted))
			own.Begin(ctx, testbed.PostgreSQL)
			t.expectWitness(ctx, http.StatusCreated)

			t.goOn(ctx)
			Expect(t.stop()).To(onlyStatuses(http.StatusCreated, http.StatusAccepted))
			t.expectBalance(ctx)
			t.expectOrder()
		})
	})
}

func (s *system) redisOutage() {
	Describe("Redis", first, Label("fault", "redis"), func() {
		It("is away for 20 s under load: every event is stored at once", SpecTimeout(faultBudget), func(ctx SpecContext) {
			own := s.startReady(ctx, instance{spare: spareOfRedis, config: patient})
			t := own.startTraffic(ctx)
			t.expectWitness(ctx, http.StatusCreated)

			own.Stop(ctx, testbed.Redis)
			own.awaitStores(ctx, storesAre("up", true, "down"))
			Consistently(t.witness, outage, 10*poll).WithContext(ctx).Should(Equal(http.StatusCreated))
			own.Begin(ctx, testbed.Redis)
			own.awaitStores(ctx, storesAre("up", true, "up"))

			t.goOn(ctx)
			Expect(t.stop()).To(onlyStatuses(http.StatusCreated))
			t.expectBalance(ctx)
			t.expectOrder()
		})
	})
}

func (s *system) outageOfBoth() {
	Describe("Both stores", first, Label("fault", "postgresql", "redis"), func() {
		It("are away for 10 s under load: events are refused, sent again, and stored once", SpecTimeout(faultBudget), func(ctx SpecContext) {
			own := s.startReady(ctx, instance{spare: spareOfBoth})
			t := own.startTraffic(ctx)
			t.expectWitness(ctx, http.StatusCreated)

			own.Stop(ctx, testbed.PostgreSQL)
			t.expectWitness(ctx, http.StatusAccepted)
			own.Stop(ctx, testbed.Redis)
			t.expectWitness(ctx, http.StatusServiceUnavailable)
			Consistently(t.witness, outageOfAll, 10*poll).WithContext(ctx).Should(Equal(http.StatusServiceUnavailable))
			a, err := own.Get(ctx, infrastructure.EndpointDataStorage, routeReady)
			Expect(err).NotTo(HaveOccurred())
			Expect(a.Problem(http.StatusServiceUnavailable, "service-unavailable", routeReady)).
				To(Equal("Neither the database nor the queue can take events."))
			Expect(a.Body).To(ContainSubstring(`"stores":` + storesAre("down", true, "down")))
			own.Begin(ctx, testbed.Redis)
			own.Begin(ctx, testbed.PostgreSQL)
			t.expectWitness(ctx, http.StatusCreated)
			own.awaitStores(ctx, storesAre("up", true, "up"))

			// Every refusal had its Retry-After, see stop.
			t.goOn(ctx)
			Expect(t.stop()).To(onlyStatuses(http.StatusCreated, http.StatusAccepted, http.StatusServiceUnavailable))
			t.expectBalance(ctx)
		})
	})
}

func (s *system) slowPostgreSQL() {
	// Deadlines can be kept only while nothing else needs the processors.
	Describe("PostgreSQL", Serial, Label("fault", "postgresql"), func() {
		It("is blocked for 20 s: requests keep their deadlines and memory its bound", SpecTimeout(faultBudget), func(ctx SpecContext) {
			const (
				// The contract has 5.5 s; the rest is for a machine that is slow, and so is what an
				// answer took meanwhile that needs no store.
				longest = 8 * time.Second
				most    = 200 << 20
			)
			own := s.startReady(ctx, instance{spare: spareOfSlow, metrics: spareOfSlowMetrics})
			t := own.startTraffic(ctx)
			t.expectWitness(ctx, http.StatusCreated)

			unlocked := own.disturbed(ctx, "BEGIN", "LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE", "SELECT pg_sleep(20)", "COMMIT")
			t.expectWitness(ctx, http.StatusAccepted)
			began := time.Now()
			_, err := own.query(ctx, url.Values{})
			Expect(err).To(MatchError(ContainSubstring("answered 503")))
			query := time.Since(began)
			t.deliverTogether(ctx, 80, 100, 3000)
			unlocked()
			t.expectWitness(ctx, http.StatusCreated)

			t.goOn(ctx)
			Expect(t.stop()).To(HaveKey(http.StatusCreated))
			Expect(t.failures).To(BeEmpty(), "requests without an answer")
			Expect(max(t.slowest, query)).To(BeNumerically("<", longest+t.slowestIdle))
			t.expectBalance(ctx)
			t.expectOrder()
			peak, err := own.Execute(ctx, "datastorage", `while read -r name size unit; do case $name in VmHWM:) echo "$size";; esac; done </proc/1/status`)
			Expect(err).NotTo(HaveOccurred())
			Expect(kibibytes(peak)).To(BeNumerically("<", most), "the most memory that the process ever had")
			AddReportEntry("memory", "at most "+peak)
			Expect(own.Restarts(ctx, "datastorage")).To(BeZero())
		})
	})
}

func (s *system) lateStores() {
	Describe("At start", first, Label("fault", "restart"), func() {
		It("without PostgreSQL events are queued, and stored when it has come", SpecTimeout(faultBudget), func(ctx SpecContext) {
			i := instance{spare: spareOfLatePostgreSQL}
			own := s.prepare(ctx, i)
			s.copyOf(ctx, own, "redis", i)
			s.copyOf(ctx, own, "datastorage", i)
			t := own.newTraffic()
			t.expectWitness(ctx, http.StatusAccepted)
			a, err := own.Get(ctx, infrastructure.EndpointDataStorage, routeReady)
			Expect(err).NotTo(HaveOccurred())
			Expect(a.Problem(http.StatusServiceUnavailable, "service-unavailable", routeReady)).
				To(Equal("The schema of the database is not ready yet."))
			Expect(a.Body).To(ContainSubstring(`"stores":` + storesAre("down", false, "up")))

			s.copyOf(ctx, own, "postgresql", i)
			own.AwaitReady(ctx, "datastorage", 1)
			t.expectWitness(ctx, http.StatusCreated)
			t.expectBalance(ctx)
			Expect(own.Restarts(ctx, "datastorage")).To(BeZero(), "it waits, and never gives up")
		})

		It("without Redis events are stored, and the service is ready", SpecTimeout(faultBudget), func(ctx SpecContext) {
			i := instance{spare: spareOfLateRedis, onlyReady: true}
			own := s.prepare(ctx, i)
			s.copyOf(ctx, own, "postgresql", i)
			s.copyOf(ctx, own, "datastorage", i)
			own.AwaitReady(ctx, "datastorage", 1)
			own.awaitStores(ctx, storesAre("up", true, "down"))
			t := own.newTraffic()
			Expect(t.witness(ctx)).To(Equal(http.StatusCreated))

			s.copyOf(ctx, own, "redis", i)
			own.awaitStores(ctx, storesAre("up", true, "up"))
			Expect(t.witness(ctx)).To(Equal(http.StatusCreated))
			t.expectBalance(ctx)
			Expect(own.Restarts(ctx, "datastorage")).To(BeZero())
		})
	})
}
