package queue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/queue"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/realstores"
)

// shared is the Redis of the tests that do not disturb it; each has its own streams.
var shared *realstores.Redis

func TestMain(m *testing.M) { os.Exit(withRedis(m)) }

func withRedis(m *testing.M) int {
	var err error
	if shared, err = realstores.StartRedis(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = shared.Close() }()
	return m.Run()
}

func sample(correlation string) event.Event {
	return event.Event{
		ID: uuid.New(), Version: event.Version, Timestamp: time.Date(2026, 3, 3, 12, 0, 0, 1000, time.UTC),
		Type: "gateway.signal.received", Category: "gateway", Action: "received", Outcome: "success",
		ActorType: "service", ActorID: "gateway", CorrelationID: correlation, Data: json.RawMessage(`{"a":1}`),
	}
}

func mustAdd(t *testing.T, q *queue.Queue, events ...event.Event) {
	t.Helper()
	if err := q.Add(t.Context(), events); err != nil {
		t.Fatalf("add: %v", err)
	}
}

func mustStats(t *testing.T, q *queue.Queue) queue.Stats {
	t.Helper()
	stats, err := q.Stats(t.Context())
	if err != nil {
		t.Fatalf("stats: %v", err)
	}
	return stats
}

func opened(t *testing.T, q *queue.Queue) *queue.Queue {
	t.Helper()
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return q
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
