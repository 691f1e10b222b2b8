package datastorage

import (
	"net/http"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func (s *system) writes() {
	Describe("Single write", Label("write"), func() {
		It("is answered 201 and read back with every field", SpecTimeout(specBudget), func(ctx SpecContext) {
			e := newEvent(newCorrelation())
			s.store(ctx, e)
			s.expectStored(ctx, e["correlation_id"].(string), e)
		})

		It("needs no optional field, and leaves out those that were not sent", SpecTimeout(specBudget), func(ctx SpecContext) {
			e := newEvent(newCorrelation())
			for _, name := range []string{"severity", "resource_type", "resource_id", "namespace", "cluster_name"} {
				e = e.with(name, nil)
			}
			s.store(ctx, e)
			s.expectStored(ctx, e["correlation_id"].(string), e)
		})
	})
}

func (s *system) idempotency() {
	Describe("Idempotency", Label("idempotency"), func() {
		It("stores an event once that is sent again alone, in a batch and twice in a batch", SpecTimeout(specBudget), func(ctx SpecContext) {
			correlation := newCorrelation()
			events := newEvents(correlation, 2)
			s.store(ctx, events[0])
			s.store(ctx, events[0])
			s.storeAll(ctx, events[0], events[1], events[1])
			s.store(ctx, events[1])
			s.expectStored(ctx, correlation, newestFirst(events)...)
		})

		It("keeps the first of two different events with one id, whatever their days", SpecTimeout(specBudget), func(ctx SpecContext) {
			correlation := newCorrelation()
			first := newEvent(correlation)
			s.store(ctx, first)
			s.store(ctx, first.with("event_action", "changed"))
			s.store(ctx, first.with("event_timestamp", stamp(time.Now().AddDate(0, 0, -5))))
			s.expectStored(ctx, correlation, first)
		})

		It("stores one event once when twenty senders send it at the same time", SpecTimeout(specBudget), func(ctx SpecContext) {
			const senders = 20
			e := newEvent(newCorrelation())
			body := encode(e)
			statuses := s.sendTogether(ctx, senders, func(int) (string, []byte) { return routeEvents, body })
			Expect(statuses).To(Equal(map[int]int{http.StatusCreated: senders}))
			s.expectStored(ctx, e["correlation_id"].(string), e)
		})

		It("lets batches that overlap in opposite orders pass each other", SpecTimeout(specBudget), func(ctx SpecContext) {
			const senders = 8
			correlation := newCorrelation()
			events := newEvents(correlation, 100)
			forward, backward := encode(batchOf(events...)), encode(batchOf(newestFirst(events)...))
			statuses := s.sendTogether(ctx, senders, func(sender int) (string, []byte) {
				if sender%2 == 0 {
					return routeBatch, forward
				}
				return routeBatch, backward
			})
			Expect(statuses).To(Equal(map[int]int{http.StatusCreated: senders}))
			s.expectStored(ctx, correlation, newestFirst(events)...)
		})
	})
}

// sendTogether lets senders post at the same time and counts the answers by status; an
// answer that is missing counts as 0.
func (s *system) sendTogether(ctx SpecContext, senders int, what func(sender int) (route string, body []byte)) map[int]int {
	var mu sync.Mutex
	var group sync.WaitGroup
	statuses := map[int]int{}
	for sender := range senders {
		group.Go(func() {
			route, body := what(sender)
			a, err := s.post(ctx, route, body)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				AddReportEntry("no answer", err.Error())
			}
			statuses[a.Status]++
		})
	}
	group.Wait()
	return statuses
}

func (s *system) batches() {
	Describe("Batch", Label("batch"), func() {
		It("of a thousand events is stored as a whole", SpecTimeout(specBudget), func(ctx SpecContext) {
			correlation := newCorrelation()
			events := newEvents(correlation, 1000)
			s.storeAll(ctx, events...)
			s.expectStored(ctx, correlation, newestFirst(events)...)
		})

		It("with one bad event is refused as a whole, and the event is named", SpecTimeout(specBudget), func(ctx SpecContext) {
			correlation := newCorrelation()
			events := newEvents(correlation, 10)
			events[7] = events[7].with("event_outcome", "maybe")
			events[9] = events[9].with("event_id", "nine")
			a := s.send(ctx, routeBatch, batchOf(events...))
			Expect(a.Problem(http.StatusBadRequest, "validation-error", routeBatch)).
				To(Equal("events[7]: event_outcome must be one of success, failure, pending"))
			Expect(a.Body).To(ContainSubstring(`"index":7`))
			s.expectNothing(ctx, correlation)
		})

		It("of more than a thousand events, or of none, is refused", SpecTimeout(specBudget), func(ctx SpecContext) {
			correlation := newCorrelation()
			a := s.send(ctx, routeBatch, batchOf(newEvents(correlation, 1001)...))
			Expect(a.Problem(http.StatusBadRequest, "validation-error", routeBatch)).
				To(Equal("events holds 1001 events, at most 1000 are allowed"))
			s.expectNothing(ctx, correlation)
			a = s.send(ctx, routeBatch, map[string]any{"events": []fields{}})
			Expect(a.Problem(http.StatusBadRequest, "validation-error", routeBatch)).To(Equal("events must hold at least one event"))
		})
	})
}

func (s *system) content() {
	Describe("Content", Label("write"), func() {
		It("comes back as it was sent, whatever language or quotes it has", SpecTimeout(specBudget), func(ctx SpecContext) {
			e := newEvent(newCorrelation()).
				with("actor_id", `Robert'); DROP TABLE audit_events;--`).
				with("resource_id", strings.Repeat("ü", 255)).
				with("event_data", map[string]any{
					"text": "日本語 \"quoted\" \\ \n 🙂", "number": 1234567890.125, "none": nil,
					"deep": map[string]any{"list": []any{true, "x", map[string]any{}}},
				})
			s.store(ctx, e)
			s.expectStored(ctx, e["correlation_id"].(string), e)
		})
	})
}

func (s *system) order() {
	Describe("Order", Label("query"), func() {
		It("of a correlation is that of its timestamps, newest first, then of its ids", SpecTimeout(specBudget), func(ctx SpecContext) {
			correlation := newCorrelation()
			at := time.Now()
			same := []fields{
				newEvent(correlation).with("event_id", "00000000-0000-4000-8000-"+correlation[29:]),
				newEvent(correlation).with("event_id", "ffffffff-0000-4000-8000-"+correlation[29:]),
			}
			for i := range same {
				same[i] = same[i].with("event_timestamp", stamp(at))
			}
			newer := newEvent(correlation).with("event_timestamp", stamp(at.Add(time.Microsecond)))
			older := newEvent(correlation).with("event_timestamp", stamp(at.Add(-time.Microsecond)))
			s.storeAll(ctx, same[1], older, newer, same[0])
			s.expectStored(ctx, correlation, newer, same[1], same[0], older)
		})
	})
}
