package testbed

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// AuditEvent is one event as DataStorage returns it.
type AuditEvent struct {
	ID            string         `json:"event_id"`
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
	Namespace     string         `json:"namespace"`
	Data          map[string]any `json:"event_data"`
}

// Trail asks the DataStorage behind an endpoint for the events of a correlation id, newest
// first. More than a thousand are an error.
func (b *Bed) Trail(ctx context.Context, endpoint, correlation string) ([]AuditEvent, error) {
	query := url.Values{"correlation_id": {correlation}, "limit": {"1000"}}
	a, err := b.Get(ctx, endpoint, "/api/v1/audit/events?"+query.Encode())
	if err != nil {
		return nil, err
	}
	var page struct {
		Data       []AuditEvent `json:"data"`
		Pagination struct {
			HasMore bool `json:"has_more"`
		} `json:"pagination"`
	}
	if err := json.Unmarshal(a.Body, &page); a.Status != http.StatusOK || err != nil || page.Pagination.HasMore {
		return nil, fmt.Errorf("the trail of %s answered %d, more: %t, %w: %s", correlation, a.Status, page.Pagination.HasMore, err, a.Body)
	}
	return page.Data, nil
}

// TrailTypes lists the types of the events of a correlation id, oldest first.
func (b *Bed) TrailTypes(ctx context.Context, endpoint, correlation string) ([]string, error) {
	events, err := b.Trail(ctx, endpoint, correlation)
	types := make([]string, len(events))
	for i, e := range events {
		types[len(events)-1-i] = e.Type
	}
	return types, err
}
