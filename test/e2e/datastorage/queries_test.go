package datastorage

import (
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/testbed"
)

func (s *system) filters() {
	DescribeTable("Filter", Label("query"), func(ctx SpecContext, parameter, value string) {
		correlation := newCorrelation()
		wanted := newEvent(correlation).
			with("event_type", "spec.wanted").with("event_category", "wanted").
			with("event_outcome", "failure").with("severity", "critical")
		other := newEvent(correlation)
		s.storeAll(ctx, wanted, other)
		p := s.find(ctx, "correlation_id", correlation, parameter, value)
		Expect(p.ids()).To(Equal([]string{wanted.id()}))
		Expect(p.Pagination).To(Equal(pagination{Limit: 100, Total: 1}))
	},
		entry("event_type", "event_type", "spec.wanted"),
		entry("event_category", "event_category", "wanted"),
		entry("event_outcome", "event_outcome", "failure"),
		entry("severity", "severity", "critical"),
	)
}

func (s *system) spans() {
	Describe("Span of time", Label("query"), func() {
		It("includes both ends, and takes a time, a date or a span before now", SpecTimeout(specBudget), func(ctx SpecContext) {
			correlation := newCorrelation()
			now := time.Now().UTC()
			hour, days := newEvent(correlation), newEvent(correlation)
			hour = hour.with("event_timestamp", stamp(now.Add(-time.Hour)))
			days = days.with("event_timestamp", stamp(now.AddDate(0, 0, -3)))
			s.storeAll(ctx, hour, days)
			find := func(pairs ...string) []string {
				return s.find(ctx, append(pairs, "correlation_id", correlation)...).ids()
			}
			at := func(e fields) string { return e["event_timestamp"].(string) }
			both, recent, old := []string{hour.id(), days.id()}, []string{hour.id()}, []string{days.id()}
			Expect(find("since", at(days), "until", at(hour))).To(Equal(both))
			Expect(find("since", at(hour))).To(Equal(recent))
			Expect(find("until", at(days))).To(Equal(old))
			Expect(find("since", "24h")).To(Equal(recent))
			Expect(find("since", "7d")).To(Equal(both))
			Expect(find("until", "2d")).To(Equal(old))
			day := now.AddDate(0, 0, -3).Format(time.DateOnly)
			Expect(find("since", day, "until", day)).To(Equal(old))
		})
	})
}

func (s *system) pages() {
	Describe("Pages", Label("query"), func() {
		It("by offset cover every event once", SpecTimeout(specBudget), func(ctx SpecContext) {
			correlation := newCorrelation()
			events := newEvents(correlation, 25)
			s.storeAll(ctx, events...)
			var seen []string
			for offset := 0; offset < 25; offset += 10 {
				p := s.find(ctx, "correlation_id", correlation, "limit", "10", "offset", number(offset))
				seen = append(seen, p.ids()...)
				p.Pagination.NextCursor = ""
				Expect(p.Pagination).To(Equal(pagination{Limit: 10, Offset: offset, Total: 25, HasMore: offset < 20}))
			}
			Expect(seen).To(Equal(idsOf(newestFirst(events))))
			Expect(s.find(ctx, "correlation_id", correlation, "offset", "25").Data).To(BeEmpty())
		})

		It("by cursor cover every event once while others arrive", SpecTimeout(specBudget), func(ctx SpecContext) {
			correlation := newCorrelation()
			events := newEvents(correlation, 25)
			s.storeAll(ctx, events...)
			var seen []string
			pairs := []string{"correlation_id", correlation, "limit", "10"}
			for range 3 {
				p := s.find(ctx, pairs...)
				seen = append(seen, p.ids()...)
				Expect(p.Pagination.Total).To(Equal(25), "counted once, at the first page")
				if len(seen) < 25 {
					Expect(p.Pagination.HasMore).To(BeTrue())
					Expect(p.Pagination.NextCursor).NotTo(BeEmpty())
				} else {
					Expect(p.Pagination.HasMore).To(BeFalse())
					Expect(p.Pagination.NextCursor).To(BeEmpty())
				}
				pairs = []string{"correlation_id", correlation, "limit", "10", "cursor", p.Pagination.NextCursor}
				// With an offset, what is newer would move everything by one.
				s.store(ctx, newEvent(correlation))
			}
			Expect(seen).To(Equal(idsOf(newestFirst(events))))
			Expect(s.total(ctx, correlation)).To(Equal(28))
		})
	})
}

func (s *system) refusedQueries() {
	DescribeTable("Query", Label("query", "errors"), func(ctx SpecContext, raw, detail string) {
		a := s.sendCall(ctx, testbed.Call{Method: http.MethodGet, Path: routeEvents + "?" + raw})
		Expect(a.Problem(http.StatusBadRequest, "validation-error", routeEvents)).To(Equal(detail))
	},
		entry("refuses a filter that does not exist", "event_types=a", `"event_types" is not a parameter of this query`),
		entry("refuses an empty filter", "event_type=", "event_type must be given once and must not be empty"),
		entry("refuses a limit out of its bounds", "limit=1001", "limit must be a number from 1 to 1000"),
		entry("refuses a moment that is none", "since=soon", "since must be RFC 3339, a date such as 2006-01-02, or a span such as 24h or 7d"),
		entry("refuses a span that ends before it begins", "since=1h&until=2h", "since is later than until"),
		entry("refuses a made-up cursor", "cursor=YQ", "cursor is not one that this service gave out"),
	)
}

func (s *system) plans() {
	Describe("Table", Label("query", "partitions"), func() {
		It("has the partitions of this month, of last week and of the next three, and plans prune them", SpecTimeout(specBudget), func(ctx SpecContext) {
			now := time.Now()
			want := monthsFrom(now.AddDate(0, 0, -7), now)
			Expect(s.sql(ctx, partitionsQuery)).To(Equal(want))
			plan, err := s.sql(ctx, "EXPLAIN SELECT * FROM audit_events WHERE event_date >= '"+
				now.AddDate(0, 2, -now.Day()+1).UTC().Format(time.DateOnly)+"' AND correlation_id = 'rr'")
			Expect(err).NotTo(HaveOccurred())
			text := strings.Join(plan, "\n")
			for i, partition := range want {
				if i < len(want)-2 {
					Expect(text).NotTo(ContainSubstring(partition))
				} else {
					Expect(text).To(ContainSubstring(partition))
				}
			}
		})
	})
}
