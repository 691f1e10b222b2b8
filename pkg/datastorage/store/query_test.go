package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

func TestQueryFilters(t *testing.T) {
	s := migrated(t)
	wanted, other := sample(now()), sample(now().AddDate(0, 0, -2))
	other.CorrelationID, other.Type, other.Category = "rr-2", "gateway.crd.created", "workflow"
	other.Outcome, other.Severity = "failure", "info"
	mustInsert(t, s, 2, wanted, other)

	for name, query := range map[string]store.Query{
		"correlation_id": {CorrelationID: "rr-1"},
		"event_type":     {Type: "gateway.signal.received"},
		"event_category": {Category: "gateway"},
		"event_outcome":  {Outcome: "success"},
		"severity":       {Severity: "critical"},
		"since":          {Since: wanted.Timestamp},
		"all": {
			CorrelationID: "rr-1", Type: wanted.Type, Category: "gateway", Outcome: "success", Severity: "critical",
			Since: wanted.Timestamp, Until: wanted.Timestamp,
		},
	} {
		page := mustQuery(t, s, query)
		if page.Total != 1 || len(page.Events) != 1 || page.Events[0].ID != wanted.ID {
			t.Errorf("%s: total %d, events %+v", name, page.Total, page.Events)
		}
	}
	page := mustQuery(t, s, store.Query{Until: other.Timestamp})
	if page.Total != 1 || page.Events[0].ID != other.ID {
		t.Errorf("until: total %d, events %+v", page.Total, page.Events)
	}
}

func TestQueryPages(t *testing.T) {
	s := migrated(t)
	var want []uuid.UUID
	for i := range 7 {
		// Pairs share a timestamp, so that the id has to break the tie.
		e := sample(now().Add(-time.Duration(i/2) * 24 * time.Hour))
		mustInsert(t, s, 1, e)
	}
	all := mustQuery(t, s, store.Query{})
	for _, e := range all.Events {
		want = append(want, e.ID)
	}
	sorted := slices.IsSortedFunc(all.Events, func(a, b event.Event) int {
		if c := b.Timestamp.Compare(a.Timestamp); c != 0 {
			return c
		}
		return strings.Compare(b.ID.String(), a.ID.String())
	})
	if len(want) != 7 || !sorted {
		t.Fatalf("events are not the newest first: %+v", all.Events)
	}

	// A walk counts once: what comes while it runs does not change its total.
	known := int64(42)
	if page := mustQuery(t, s, store.Query{Total: &known}); page.Total != known {
		t.Errorf("total %d, the first page counted %d", page.Total, known)
	}

	// The total is the same whether it is counted or follows from the page.
	for _, q := range []store.Query{{Limit: 3}, {Limit: 7}, {Limit: 8}, {Limit: 3, Offset: 6}, {Limit: 3, Offset: 7}, {Limit: 3, Offset: 70}} {
		if page := mustQuery(t, s, q); page.Total != 7 {
			t.Errorf("limit %d, offset %d: total %d, want 7", q.Limit, q.Offset, page.Total)
		}
	}

	var byOffset, byCursor []uuid.UUID
	var after *store.Position
	for offset := 0; offset < 7; offset += 3 {
		for _, walk := range []struct {
			query store.Query
			found *[]uuid.UUID
		}{
			{store.Query{Limit: 3, Offset: offset}, &byOffset},
			{store.Query{Limit: 3, After: after}, &byCursor},
		} {
			page := mustQuery(t, s, walk.query)
			if page.Total != 7 || page.More != (offset < 6) {
				t.Errorf("offset %d: total %d more %t", offset, page.Total, page.More)
			}
			for _, e := range page.Events {
				*walk.found = append(*walk.found, e.ID)
			}
			if walk.found == &byCursor {
				last := page.Events[len(page.Events)-1]
				after = &store.Position{Timestamp: last.Timestamp, ID: last.ID}
			}
		}
	}
	if !slices.Equal(byOffset, want) || !slices.Equal(byCursor, want) {
		t.Errorf("by offset %v\nby cursor %v\nwant %v", byOffset, byCursor, want)
	}
}
