package datastorage

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/testbed"
)

func (s *system) deadEvents() {
	Describe("Queue", first, Label("queue"), func() {
		It("moves what can never be stored to the dead stream, and holds back no good event", SpecTimeout(faultBudget), func(ctx SpecContext) {
			own := s.startReady(ctx, instance{spare: spareOfDeadEvents, metrics: spareOfDeadEventsMetrics})
			own.Stop(ctx, testbed.PostgreSQL)
			t := own.newTraffic()
			t.expectWitness(ctx, http.StatusAccepted)
			for _, command := range []string{`XADD audit:queue '*' event '{"event_id": "half'`, `XADD audit:queue '*' other field`} {
				_, err := own.redis(ctx, command)
				Expect(err).NotTo(HaveOccurred())
			}
			Expect(t.deliver(ctx, newEvents(newCorrelation(), 20)...)).To(Equal(http.StatusAccepted))
			own.Begin(ctx, testbed.PostgreSQL)
			t.expectWitness(ctx, http.StatusCreated)

			t.settle(ctx)
			want := balance{accepted: len(t.accepted), rows: len(t.accepted)}
			Eventually(t.balance, drainBudget, look).WithContext(ctx).Should(Equal(want))
			Eventually(own.waiting, settleBudget, look).WithContext(ctx).Should(BeZero())
			Expect(own.redis(ctx, "XLEN audit:dead")).To(Equal("2"))
			entries, err := own.redis(ctx, "XRANGE audit:dead - +")
			Expect(err).NotTo(HaveOccurred())
			Expect(entries).To(And(ContainSubstring(`{"event_id": "half`), ContainSubstring(`has no field "event"`)))
			Eventually(func(ctx context.Context) (float64, error) {
				m, err := own.metrics(ctx)
				return m["datastorage_queue_dead_depth{}"], err
			}, settleBudget, poll).WithContext(ctx).Should(Equal(2.0))
			m, err := own.metrics(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(m).To(HaveKeyWithValue("datastorage_queue_dead_total{}", 2.0))
		})
	})
}
