package datastorage

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// headStart is how long before the end of its month an instance begins.
const headStart = 25 * time.Second

// startAtEndOfMonth starts an instance whose clock is about to cross the end of a
// month. The stores are ready before, so that the moment is not missed.
func (s *system) startAtEndOfMonth(ctx context.Context, spare int, config string) (own *system, clock func() time.Time, end time.Time) {
	GinkgoHelper()
	i := instance{spare: spare}
	own = s.prepare(ctx, i)
	for _, store := range []string{"postgresql", "redis"} {
		s.copyOf(ctx, own, store, i)
	}
	for _, store := range []string{"postgresql", "redis"} {
		own.AwaitReady(ctx, store, 1)
	}
	now := time.Now().UTC()
	end = time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	offset := end.Add(-headStart).Sub(now)
	i.config = fmt.Sprintf("clock:\n  offset: %s\n%s", offset, config)
	s.copyOf(ctx, own, "datastorage", i)
	own.awaitStores(ctx, storesAre("up", true, "up"))
	return own, func() time.Time { return time.Now().Add(offset) }, end
}

// endOfMonth lets the clock of an instance cross the end of a month under writes, with
// and without a retention.
func (s *system) endOfMonth() {
	Describe("End of a month", first, Label("partitions", "retention"), func() {
		It("needs no restart, and drops what is older than the retention", SpecTimeout(faultBudget), func(ctx SpecContext) {
			s.crossMonth(ctx, spareOfRetention, patient+"retention:\n  months: 1\n", true)
		})
		It("drops nothing without a retention", SpecTimeout(faultBudget), func(ctx SpecContext) {
			s.crossMonth(ctx, spareOfNoRetention, patient, false)
		})
	})
}

func (s *system) crossMonth(ctx context.Context, spare int, config string, drops bool) {
	GinkgoHelper()
	own, clock, end := s.startAtEndOfMonth(ctx, spare, config)
	before := end.AddDate(0, -1, 0)
	oldest := before.AddDate(0, -1, 0)
	own.run(ctx,
		fmt.Sprintf("CREATE TABLE %s PARTITION OF audit_events FOR VALUES FROM ('%s') TO ('%s')",
			oldest.Format("audit_events_2006_01"), oldest.Format(time.DateOnly), before.Format(time.DateOnly)),
		fmt.Sprintf(`INSERT INTO audit_event_ids SELECT gen_random_uuid(), '%s'`, oldest.Format(time.DateOnly)),
		`INSERT INTO audit_events SELECT event_id, event_date, '1.0', event_date::timestamp AT TIME ZONE 'UTC', 'spec.old', 'spec', 'aged',
			'success', 'info', 'user', 'spec', NULL, NULL, 'old', NULL, NULL, '{}', now() FROM audit_event_ids`,
	)
	Expect(own.run(ctx, partitionsQuery)).To(Equal(monthsFrom(oldest, end.Add(-time.Second))))

	// One event each poll until some of the new month are accepted.
	var events []fields
	correlation := newCorrelation()
	t := own.newTraffic()
	Eventually(func(ctx context.Context) time.Time {
		at := clock().Truncate(time.Microsecond)
		e := newEvent(correlation).with("event_timestamp", stamp(at))
		if t.try(ctx, e) == http.StatusCreated {
			events = append(events, e)
		}
		return at
	}, settleBudget, 5*poll).WithContext(ctx).Should(BeTemporally(">", end.Add(2*time.Second)))
	Expect(t.statuses).To(onlyStatuses(http.StatusCreated))

	want, left := monthsFrom(oldest, end), []string{"1"}
	if drops {
		want, left = want[1:], []string{"0"}
	}
	Eventually(own.sql, settleBudget, look).WithContext(ctx).WithArguments(partitionsQuery).Should(Equal(want))
	Expect(own.run(ctx, "SELECT count(*) FROM audit_events WHERE correlation_id = 'old'")).To(Equal(left))
	Expect(own.run(ctx, "SELECT count(*) FROM audit_event_ids WHERE event_date < '"+before.Format(time.DateOnly)+"'")).To(Equal(left))
	own.expectStored(ctx, correlation, newestFirst(events)...)
	Expect(events[0]["event_timestamp"]).To(HavePrefix(before.Format("2006-01")))
	Expect(events[len(events)-1]["event_timestamp"]).To(HavePrefix(end.Format("2006-01")))
}
