package datastorage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/queue"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
)

func TestMain(m *testing.M) {
	queue.CaptureClientLog(slog.New(slog.DiscardHandler))
	m.Run()
}

// running is a service between its start and its stop.
type running struct {
	*datastorage.Service
	stop func() error
}

func serve(t testing.TB, c config.Config) running {
	t.Helper()
	c.Server.Address, c.Server.MetricsAddress = "127.0.0.1:0", "127.0.0.1:0"
	service, err := datastorage.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	stopped := false
	r := running{Service: service, stop: func() error {
		stopped = true
		cancel()
		return <-done
	}}
	t.Cleanup(func() {
		if !stopped {
			if err := r.stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
	})
	return r
}

func quick() config.Config {
	c := config.Default()
	c.Server.ShutdownDelay = 0
	c.Write = config.Write{PostgreSQLTimeout: time.Second, QueueTimeout: time.Second}
	c.PostgreSQL.ConnectTimeout = time.Second
	c.Stores = config.Stores{CheckInterval: 50 * time.Millisecond, RetryMin: 20 * time.Millisecond, RetryMax: 100 * time.Millisecond}
	c.Queue.ReplayInterval = 50 * time.Millisecond
	return c
}

func (r running) call(t testing.TB, method, path, body string) (int, string) {
	t.Helper()
	return call(t, method, "http://"+r.Address()+path, body)
}

func call(t testing.TB, method, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(content)
}

func (r running) write(t testing.TB, correlation string, want int) {
	t.Helper()
	body := fmt.Sprintf(`{"events": [{"event_id": %q, "event_version": "1.0", "event_timestamp": %q,
		"event_type": "gateway.signal.received", "event_category": "gateway", "event_action": "received",
		"event_outcome": "success", "actor_type": "service", "actor_id": "gateway", "correlation_id": %q, "event_data": {}}]}`,
		uuid.NewString(), time.Now().UTC().Format(time.RFC3339Nano), correlation)
	if status, answer := r.call(t, http.MethodPost, server.PathBatch, body); status != want {
		t.Fatalf("write %s: status %d, want %d: %s", correlation, status, want, answer)
	}
}

// total returns how many events of a correlation are stored, or -1 without an answer.
func (r running) total(t testing.TB, correlation string) int {
	t.Helper()
	status, body := r.call(t, http.MethodGet, server.PathEvents+"?correlation_id="+correlation, "")
	if status != http.StatusOK {
		return -1
	}
	var page struct{ Pagination struct{ Total int } }
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	return page.Pagination.Total
}

func (r running) ready(t testing.TB) int {
	t.Helper()
	status, _ := r.call(t, http.MethodGet, server.PathReady, "")
	return status
}

func eventually(t testing.TB, what string, reached func() bool) {
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
