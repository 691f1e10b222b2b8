package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// auditBudget is for the Gateway to send its last batch, and for DataStorage to
// store what it may have queued.
const auditBudget = time.Minute

// Audit compares the events that the answers promised with those that are stored.
type Audit struct {
	Promised int `json:"promised"`
	Stored   int `json:"stored"`
}

// events waits until the Gateway has sent all its events and DataStorage has as many
// as were promised, then counts once more. Without that it returns what there is
// when the budget has been used.
func (s *system) events(ctx context.Context, since time.Time, promised int) (Audit, error) {
	stored := 0
	err := wait.PollUntilContextTimeout(ctx, poll, auditBudget, true, func(ctx context.Context) (bool, error) {
		waiting, err := s.gateway(ctx)
		if err != nil {
			return false, err
		}
		stored, err = s.stored(ctx, since)
		return waiting.events == 0 && stored >= promised, err
	})
	if err != nil && !wait.Interrupted(err) {
		return Audit{}, fmt.Errorf("count the audit events: %w", err)
	}
	stored, err = s.stored(ctx, since)
	return Audit{Promised: promised, Stored: stored}, err
}

// stored counts the Gateway's events in DataStorage since a moment.
func (s *system) stored(ctx context.Context, since time.Time) (int, error) {
	query := url.Values{
		"event_category": {"gateway"}, "since": {since.UTC().Format(time.RFC3339Nano)}, "limit": {"1"},
	}
	body, err := s.get(ctx, infrastructure.EndpointDataStorage, "/api/v1/audit/events?"+query.Encode())
	if err != nil {
		return 0, err
	}
	var page struct {
		Pagination struct {
			Total int `json:"total"`
		} `json:"pagination"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return 0, fmt.Errorf("read DataStorage's answer: %w", err)
	}
	return page.Pagination.Total, nil
}
