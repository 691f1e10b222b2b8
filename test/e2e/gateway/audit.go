package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/testbed"
)

// auditEvent is one event as DataStorage returns it.
type auditEvent struct {
	ID            string         `json:"event_id"`
	Version       string         `json:"event_version"`
	Timestamp     time.Time      `json:"event_timestamp"`
	Type          string         `json:"event_type"`
	Category      string         `json:"event_category"`
	Action        string         `json:"event_action"`
	Outcome       string         `json:"event_outcome"`
	Severity      string         `json:"severity"`
	ActorType     string         `json:"actor_type"`
	ActorID       string         `json:"actor_id"`
	ResourceType  string         `json:"resource_type"`
	ResourceID    string         `json:"resource_id"`
	CorrelationID string         `json:"correlation_id"`
	Namespace     string         `json:"namespace,omitempty"`
	Data          map[string]any `json:"event_data"`
}

// auditPage is the answer to a query.
type auditPage struct {
	Data       []auditEvent `json:"data"`
	Pagination struct {
		Limit   int  `json:"limit"`
		Offset  int  `json:"offset"`
		Total   int  `json:"total"`
		HasMore bool `json:"has_more"`
	} `json:"pagination"`
}

// The types of event that the Gateway records.
const (
	eventReceived     = "gateway.signal.received"
	eventCreated      = "gateway.crd.created"
	eventDeduplicated = "gateway.signal.deduplicated"
)

// audit asks DataStorage for all events of one correlation id, newest first.
func (s *system) audit(ctx context.Context, correlation string) (auditPage, error) {
	return s.queryAudit(ctx, url.Values{"correlation_id": {correlation}})
}

// auditIn counts the Gateway's events about one namespace since a moment by their
// correlation id.
func (s *system) auditIn(ctx context.Context, namespace string, since time.Time) (map[string]int, error) {
	// Events that come in meanwhile move others to the next page: each counts once.
	counts, seen := map[string]int{}, map[string]bool{}
	for offset := 0; ; {
		page, err := s.queryAudit(ctx, url.Values{
			"event_category": {"gateway"}, "since": {since.UTC().Format(time.RFC3339Nano)}, "offset": {strconv.Itoa(offset)},
		})
		if err != nil {
			return nil, err
		}
		for _, e := range page.Data {
			if e.Namespace == namespace && !seen[e.ID] {
				seen[e.ID] = true
				counts[e.CorrelationID]++
			}
		}
		if !page.Pagination.HasMore {
			return counts, nil
		}
		offset += len(page.Data)
	}
}

// queryAudit asks DataStorage for as many events as it gives at once.
func (s *system) queryAudit(ctx context.Context, query url.Values) (auditPage, error) {
	query.Set("limit", "1000")
	a, err := s.Get(ctx, infrastructure.EndpointDataStorage, "/api/v1/audit/events?"+query.Encode())
	if err != nil {
		return auditPage{}, err
	}
	if a.Status != http.StatusOK {
		return auditPage{}, fmt.Errorf("query %s answered %d: %s", query.Encode(), a.Status, a.Body)
	}
	var page auditPage
	if err := json.Unmarshal(a.Body, &page); err != nil {
		return auditPage{}, fmt.Errorf("query %s: %w: %s", query.Encode(), err, a.Body)
	}
	return page, nil
}

// auditTypes counts the events of one correlation id by type.
func (s *system) auditTypes(ctx context.Context, correlation string) (map[string]int, error) {
	page, err := s.audit(ctx, correlation)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, e := range page.Data {
		counts[e.Type]++
	}
	return counts, nil
}

// expectAudit asserts that exactly these events become readable, and that no other
// one follows.
func (s *system) expectAudit(ctx context.Context, correlation string, want map[string]int) {
	GinkgoHelper()
	Eventually(s.auditTypes, auditBudget, poll).WithContext(ctx).WithArguments(correlation).Should(Equal(want))
	Consistently(s.auditTypes, quiet, poll).WithContext(ctx).WithArguments(correlation).Should(Equal(want))
}

// postAudit sends one event to DataStorage itself, as another service would.
func (s *system) postAudit(ctx context.Context, e auditEvent) (testbed.Answer, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return testbed.Answer{}, err
	}
	return s.Post(ctx, infrastructure.EndpointDataStorage, "/api/v1/audit/events", body)
}
