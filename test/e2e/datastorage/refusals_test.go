package datastorage

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

func (s *system) refusals() {
	Describe("Refusals", Label("errors"), func() {
		It("of a body that is too large are 413, for an event and for a batch", SpecTimeout(specBudget), func(ctx SpecContext) {
			correlation := newCorrelation()
			large := newEvent(correlation).with("event_data", map[string]any{"text": strings.Repeat("x", 256<<10)})
			s.send(ctx, routeEvents, large).Problem(http.StatusRequestEntityTooLarge, "payload-too-large", routeEvents)
			events := newEvents(correlation, 17)
			for i := range events {
				events[i] = events[i].with("event_data", large["event_data"])
			}
			s.send(ctx, routeBatch, batchOf(events...)).Problem(http.StatusRequestEntityTooLarge, "payload-too-large", routeBatch)
			s.expectNothing(ctx, correlation)
		})

		It("of another media type are 415, and of no media type there are none", SpecTimeout(specBudget), func(ctx SpecContext) {
			e := newEvent(newCorrelation())
			send := func(mediaType string) testbed.Answer {
				header := http.Header{}
				if mediaType != "" {
					header.Set("Content-Type", mediaType)
				}
				return s.sendCall(ctx, testbed.Call{Method: http.MethodPost, Path: routeEvents, Body: encode(e), Header: header})
			}
			a := send("text/plain")
			a.Problem(http.StatusUnsupportedMediaType, "unsupported-media-type", routeEvents)
			Expect(a.Header.Get("Accept")).To(Equal("application/json"))
			Expect(send("").Status).To(Equal(http.StatusCreated))
			s.expectStored(ctx, e["correlation_id"].(string), e)
		})

		It("of an unknown path are 404, of another method 405 with what is allowed", SpecTimeout(specBudget), func(ctx SpecContext) {
			const nowhere = "/api/v1/audit/nothing"
			s.sendCall(ctx, testbed.Call{Method: http.MethodGet, Path: nowhere}).Problem(http.StatusNotFound, "not-found", nowhere)
			a := s.sendCall(ctx, testbed.Call{Method: http.MethodDelete, Path: routeEvents})
			a.Problem(http.StatusMethodNotAllowed, "method-not-allowed", routeEvents)
			Expect(a.Header.Values("Allow")).To(ConsistOf("GET", "POST"))
		})

		It("carry the security headers, as every answer does", SpecTimeout(specBudget), func(ctx SpecContext) {
			for _, a := range []testbed.Answer{
				s.send(ctx, routeEvents, "no event"),
				s.send(ctx, routeEvents, newEvent(newCorrelation())),
				s.sendCall(ctx, testbed.Call{Method: http.MethodGet, Path: routeLive}),
			} {
				Expect(a.Header.Get("X-Content-Type-Options")).To(Equal("nosniff"))
				Expect(a.Header.Get("X-Frame-Options")).To(Equal("DENY"))
				Expect(a.Header.Get("Content-Security-Policy")).To(Equal("default-src 'none'"))
				Expect(a.Header.Get("Referrer-Policy")).To(Equal("no-referrer"))
				Expect(a.Header.Get("X-Request-ID")).To(MatchRegexp(`^[0-9a-f-]{36}$`))
			}
		})
	})
}

// sendCall sends any request to DataStorage and asserts an answer.
func (s *system) sendCall(ctx context.Context, c testbed.Call) testbed.Answer {
	GinkgoHelper()
	c.Endpoint = infrastructure.EndpointDataStorage
	a, err := s.Send(ctx, c)
	Expect(err).NotTo(HaveOccurred())
	return a
}

func (s *system) validation() {
	DescribeTable("Validation", Label("errors"), func(ctx SpecContext, change func(fields) any, detail string) {
		correlation := newCorrelation()
		a := s.send(ctx, routeEvents, change(newEvent(correlation)))
		Expect(a.Problem(http.StatusBadRequest, "validation-error", routeEvents)).To(Equal(detail))
		s.expectNothing(ctx, correlation)
	},
		entry("wants a UUID", setting("event_id", "7"), "event_id must be a UUID"),
		entry("wants the known version", setting("event_version", "2.0"), `event_version must be "1.0"`),
		entry("wants a type", setting("event_type", nil), "event_type is required"),
		entry("wants an actor", setting("actor_id", nil), "actor_id is required"),
		entry("wants data", setting("event_data", nil), "event_data is required"),
		entry("knows three outcomes", setting("event_outcome", "maybe"), "event_outcome must be one of success, failure, pending"),
		entry("knows three severities", setting("severity", "loud"), "severity must be one of critical, warning, info"),
		entry("bounds lengths as the table does", setting("event_action", strings.Repeat("ä", 51)), "event_action is longer than 50 characters"),
		entry("refuses fields for which the table has no room", setting("colour", "red"), `"colour" is not a known field`),
		entry("refuses what PostgreSQL cannot hold", setting("actor_id", "a\x00b"), "actor_id must not contain the character U+0000"),
		entry("wants data to be an object", setting("event_data", []int{1}), "event_data must be a JSON object"),
		entry("wants an object", func(fields) any { return []int{1} }, "must be a JSON object"),
		entry("names every mistake", func(e fields) any { return e.with("event_id", "7").with("event_outcome", "?") },
			"event_id must be a UUID; event_outcome must be one of success, failure, pending"),
	)
}

func setting(name string, value any) func(fields) any {
	return func(e fields) any { return e.with(name, value) }
}

func (s *system) timestamps() {
	Describe("Timestamps", Label("errors"), func() {
		It("are accepted from seven days back to five minutes ahead", SpecTimeout(specBudget), func(ctx SpecContext) {
			const week, ahead, margin = 7 * 24 * time.Hour, 5 * time.Minute, time.Minute
			correlation := newCorrelation()
			oldest := newEvent(correlation).with("event_timestamp", stamp(time.Now().Add(-week+margin)))
			newest := newEvent(correlation).with("event_timestamp", stamp(time.Now().Add(ahead-margin)))
			s.store(ctx, oldest)
			s.store(ctx, newest)
			for offset, detail := range map[time.Duration]string{
				-week - margin: "event_timestamp is more than 168h0m0s old",
				ahead + margin: "event_timestamp is more than 5m0s ahead of the server's clock",
			} {
				a := s.send(ctx, routeEvents, newEvent(correlation).with("event_timestamp", stamp(time.Now().Add(offset))))
				Expect(a.Problem(http.StatusBadRequest, "validation-error", routeEvents)).To(Equal(detail))
			}
			s.expectStored(ctx, correlation, newest, oldest)
		})

		It("of any zone are kept in UTC, to the microsecond", SpecTimeout(specBudget), func(ctx SpecContext) {
			at := time.Now().Truncate(time.Second).Add(123456789 * time.Nanosecond)
			e := newEvent(newCorrelation())
			sent := e.with("event_timestamp", at.In(time.FixedZone("", 5*3600+1800)).Format(time.RFC3339Nano))
			a := s.send(ctx, routeEvents, sent)
			Expect(a.Status).To(Equal(http.StatusCreated), string(a.Body))
			kept := fmt.Sprintf("%s.123456Z", at.UTC().Format("2006-01-02T15:04:05"))
			s.expectStored(ctx, e["correlation_id"].(string), e.with("event_timestamp", kept))
		})
	})
}
