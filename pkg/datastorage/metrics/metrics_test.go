package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/queue"
)

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d", answer.Code)
	}
	return answer.Body.String()
}

func mustContain(t *testing.T, body string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
}

func TestEverySeriesExistsFromTheStart(t *testing.T) {
	mustContain(t, scrape(t, metrics.New(nil)),
		`datastorage_audit_events_total{result="stored"} 0`,
		`datastorage_audit_events_total{result="queued"} 0`,
		`datastorage_audit_events_total{result="rejected"} 0`,
		`datastorage_audit_events_total{result="failed"} 0`,
		`datastorage_audit_events_duplicate_total 0`,
		`datastorage_requests_rejected_total{reason="invalid"} 0`,
		`datastorage_requests_rejected_total{reason="media_type"} 0`,
		`datastorage_requests_rejected_total{reason="too_large"} 0`,
		`datastorage_requests_rejected_total{reason="overload"} 0`,
		`datastorage_queue_replayed_total 0`,
		`datastorage_queue_dead_total 0`,
		`datastorage_queue_depth 0`,
		`datastorage_queue_dead_depth 0`,
		`datastorage_queue_lag_seconds 0`,
		`datastorage_store_up{store="postgresql"} 0`,
		`datastorage_store_up{store="redis"} 0`,
	)
}

func TestCounts(t *testing.T) {
	now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	m := metrics.New(func() time.Time { return now })
	m.Request("/health", http.MethodGet, http.StatusOK, time.Second)
	m.Write("batch", metrics.ResultStored, 7, 20*time.Millisecond)
	m.Duplicates(2)
	m.Rejected(metrics.ReasonTooLarge)
	m.Replayed(3)
	m.Buried(1)
	m.StoreUp("postgresql", true)
	m.QueueChecked(queue.Stats{Depth: 4, Dead: 5, Oldest: now.Add(-time.Minute)}, true)
	mustContain(t, scrape(t, m),
		`datastorage_http_request_duration_seconds_count{endpoint="/health",method="GET",status="200"} 1`,
		`datastorage_write_duration_seconds_count{kind="batch",result="stored"} 1`,
		`datastorage_audit_events_total{result="stored"} 7`,
		`datastorage_audit_events_duplicate_total 2`,
		`datastorage_requests_rejected_total{reason="too_large"} 1`,
		`datastorage_queue_replayed_total 3`,
		`datastorage_queue_dead_total 1`,
		`datastorage_queue_depth 4`,
		`datastorage_queue_dead_depth 5`,
		`datastorage_queue_lag_seconds 60`,
		`datastorage_store_up{store="postgresql"} 1`,
		`datastorage_store_up{store="redis"} 1`,
	)

	// While Redis is away its events are still in it.
	m.QueueChecked(queue.Stats{}, false)
	mustContain(t, scrape(t, m), `datastorage_queue_depth 4`, `datastorage_store_up{store="redis"} 0`)
	m.QueueChecked(queue.Stats{}, true)
	mustContain(t, scrape(t, m), `datastorage_queue_depth 0`, `datastorage_queue_lag_seconds 0`)
}
