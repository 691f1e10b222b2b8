package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/realstores"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

// postgres is shared by the tests of this package; each has a database of its own.
var postgres *realstores.PostgreSQL

func TestMain(m *testing.M) { os.Exit(withPostgreSQL(m)) }

func withPostgreSQL(m *testing.M) int {
	var err error
	if postgres, err = realstores.StartPostgreSQL(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = postgres.Close() }()
	return m.Run()
}

// now is the clock of the tests: early in a month, so that the oldest event that is
// accepted belongs to the month before.
func now() time.Time { return time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC) }

func newStore(t *testing.T, change func(*store.Options)) *store.Store {
	t.Helper()
	return openStore(t, postgres.Database(t), change)
}

func openStore(t *testing.T, c config.PostgreSQL, change func(*store.Options)) *store.Store {
	t.Helper()
	options := store.Options{
		PostgreSQL:  c,
		Watch:       config.Stores{CheckInterval: 50 * time.Millisecond, RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond},
		OldestEvent: 7 * 24 * time.Hour,
		Clock:       now,
	}
	if change != nil {
		change(&options)
	}
	s, err := store.New(options, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("new store: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// migrated is a store that is ready for events.
func migrated(t *testing.T) *store.Store {
	t.Helper()
	s := newStore(t, nil)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	if err := s.EnsurePartitions(t.Context()); err != nil {
		t.Fatalf("ensure partitions: %v", err)
	}
	return s
}

func sample(at time.Time) event.Event {
	return event.Event{
		ID: uuid.New(), Version: event.Version, Timestamp: at, Type: "gateway.signal.received", Category: "gateway",
		Action: "received", Outcome: "success", Severity: "critical", ActorType: "service", ActorID: "gateway",
		ResourceType: "RemediationRequest", ResourceID: "rr-1", CorrelationID: "rr-1", Namespace: "prod",
		ClusterName: "east", Data: json.RawMessage(`{"a": 1}`),
	}
}

func mustInsert(t *testing.T, s *store.Store, want int64, events ...event.Event) {
	t.Helper()
	got, err := s.Insert(t.Context(), events)
	if err != nil {
		t.Fatalf("insert: %v", err)
	}
	if got != want {
		t.Fatalf("insert stored %d events, want %d", got, want)
	}
}

func mustQuery(t *testing.T, s *store.Store, q store.Query) store.Page {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := s.Query(t.Context(), q)
	if err != nil {
		t.Fatalf("query: %v", err)
	}
	return page
}

// eventually polls a state that another goroutine reaches.
func eventually(t *testing.T, what string, reached func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !reached() {
		select {
		case <-ctx.Done():
			t.Fatalf("not reached: %s", what)
		case <-ticker.C:
		}
	}
}
