package datastorage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// The routes of DataStorage.
const (
	routeEvents = "/api/v1/audit/events"
	routeBatch  = "/api/v1/audit/events/batch"
	routeReady  = "/health/ready"
	routeHealth = "/health"
	routeLive   = "/health/live"
)

// system is the running system under test. It is empty until the suite has been set
// up, so specs may use it but containers must not.
type system struct {
	*testbed.Bed
}

// page is the answer to a query.
type page struct {
	Data       []fields   `json:"data"`
	Pagination pagination `json:"pagination"`
}

type pagination struct {
	Limit      int    `json:"limit"`
	Offset     int    `json:"offset"`
	Total      int    `json:"total"`
	HasMore    bool   `json:"has_more"`
	NextCursor string `json:"next_cursor"`
}

// ids lists the events of the page in their order.
func (p page) ids() []string { return idsOf(p.Data) }

// post sends a body to a route. Only a missing answer is an error.
func (s *system) post(ctx context.Context, route string, body []byte) (testbed.Answer, error) {
	return s.Post(ctx, infrastructure.EndpointDataStorage, route, body)
}

// send is post for specs that wait for one answer. The exchange is attached to the
// report of the spec, where it is shown when the spec fails.
func (s *system) send(ctx context.Context, route string, value any) testbed.Answer {
	GinkgoHelper()
	body := encode(value)
	a, err := s.post(ctx, route, body)
	Expect(err).NotTo(HaveOccurred())
	AddReportEntry(fmt.Sprintf("POST %s answered %d", route, a.Status), ReportEntryVisibilityFailureOrVerbose,
		fmt.Sprintf("sent %.2000s\nreceived %v\n%s", body, a.Header, a.Body))
	return a
}

// expectWritten asserts that one event is answered as accepted in that way.
func (s *system) expectWritten(ctx context.Context, e fields, status int, word string) {
	GinkgoHelper()
	a := s.send(ctx, routeEvents, e)
	Expect(a.Status).To(Equal(status), string(a.Body))
	Expect(a.Body).To(MatchJSON(encode(map[string]any{
		"event_id": e["event_id"], "status": word, "event_timestamp": e["event_timestamp"],
	})))
}

// store writes one event and asserts that it is in the table.
func (s *system) store(ctx context.Context, e fields) {
	GinkgoHelper()
	s.expectWritten(ctx, e, http.StatusCreated, "stored")
}

// storeAll writes events as one batch and asserts that they are in the table.
func (s *system) storeAll(ctx context.Context, events ...fields) {
	GinkgoHelper()
	a := s.send(ctx, routeBatch, batchOf(events...))
	Expect(a.Status).To(Equal(http.StatusCreated), string(a.Body))
	Expect(a.Body).To(MatchJSON(encode(map[string]any{"status": "stored", "count": len(events), "event_ids": idsOf(events)})))
}

// query asks for a page. Anything but 200 is an error.
func (s *system) query(ctx context.Context, filter url.Values) (page, error) {
	a, err := s.Get(ctx, infrastructure.EndpointDataStorage, routeEvents+"?"+filter.Encode())
	if err != nil {
		return page{}, err
	}
	if a.Status != http.StatusOK {
		return page{}, fmt.Errorf("query %s answered %d: %s", filter.Encode(), a.Status, a.Body)
	}
	var p page
	if err := json.Unmarshal(a.Body, &p); err != nil {
		return page{}, fmt.Errorf("query %s: %w: %s", filter.Encode(), err, a.Body)
	}
	return p, nil
}

// find is query with parameters in pairs, and asserts an answer.
func (s *system) find(ctx context.Context, pairs ...string) page {
	GinkgoHelper()
	filter := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		filter.Set(pair[0], pair[1])
	}
	p, err := s.query(ctx, filter)
	Expect(err).NotTo(HaveOccurred())
	return p
}

// total counts the events of a correlation.
func (s *system) total(ctx context.Context, correlation string) (int, error) {
	p, err := s.query(ctx, url.Values{"correlation_id": {correlation}, "limit": {"1"}})
	return p.Pagination.Total, err
}

// expectStored asserts that a correlation has exactly these events, with every field,
// in this order.
func (s *system) expectStored(ctx context.Context, correlation string, want ...fields) {
	GinkgoHelper()
	p := s.find(ctx, "correlation_id", correlation, "limit", "1000")
	Expect(encode(p.Data)).To(MatchJSON(encode(want)))
	Expect(p.Pagination).To(Equal(pagination{Limit: 1000, Total: len(want)}))
}

// expectNothing asserts that a correlation has no event.
func (s *system) expectNothing(ctx context.Context, correlation string) {
	GinkgoHelper()
	Expect(s.total(ctx, correlation)).To(Equal(0))
}

// number writes a number as a parameter.
func number(n int) string { return strconv.Itoa(n) }
