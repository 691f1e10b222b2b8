package server_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/recorder"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

func now() time.Time { return time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC) }

// stores plays all that the server depends on.
type stores struct {
	state    store.State
	queueUp  bool
	record   func(ctx context.Context, events []event.Event) (recorder.Outcome, error)
	page     store.Page
	queryErr error
	query    store.Query
}

func (s *stores) Record(ctx context.Context, events []event.Event) (recorder.Outcome, error) {
	return s.record(ctx, events)
}

func (s *stores) Query(_ context.Context, q store.Query) (store.Page, error) {
	s.query = q
	return s.page, s.queryErr
}

func (s *stores) State() store.State { return s.state }
func (s *stores) Up() bool           { return s.queueUp }

func storing(fresh int64) *stores {
	return &stores{
		state: store.State{Up: true, Migrated: true}, queueUp: true,
		record: func(context.Context, []event.Event) (recorder.Outcome, error) {
			return recorder.Outcome{Status: recorder.Stored, Fresh: fresh}, nil
		},
	}
}

type fixture struct {
	*server.Server
	metrics *metrics.Metrics
	handler http.Handler
}

func newFixture(s *stores, change func(*config.Config)) fixture {
	c := config.Default()
	if change != nil {
		change(&c)
	}
	m := metrics.New(now)
	api := server.New(c, server.Dependencies{
		Recorder: s, Reader: s, Reserve: s, Metrics: m, Log: slog.New(slog.DiscardHandler), Clock: now,
	})
	return fixture{Server: api, metrics: m, handler: api.Handler()}
}

func (f fixture) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	f.handler.ServeHTTP(answer, request)
	return answer
}

// scrape returns the metrics as text.
func (f fixture) scrape() string {
	answer := httptest.NewRecorder()
	f.metrics.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return answer.Body.String()
}

type problemBody struct {
	Type, Title, Detail, Instance string
	Status                        int
	RequestID                     string `json:"request_id"`
	Index                         *int
	Stores                        json.RawMessage
}

// mustProblem checks everything that all problems have in common.
func mustProblem(t *testing.T, answer *httptest.ResponseRecorder, status int, kind, detail string) problemBody {
	t.Helper()
	var body problemBody
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	if answer.Code != status || body.Status != status || body.Type != "https://kubernaut.ai/problems/"+kind || body.Detail != detail {
		t.Errorf("status %d, body %s\nwant %d %s: %s", answer.Code, answer.Body, status, kind, detail)
	}
	header := answer.Header()
	if got := header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	if id := header.Get("X-Request-ID"); len(id) != 36 || id != body.RequestID {
		t.Errorf("request id %q in the header, %q in the body", id, body.RequestID)
	}
	if header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("no security headers")
	}
	if status == http.StatusServiceUnavailable && header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q, want 2", header.Get("Retry-After"))
	}
	return body
}

const id = "0190d2c4-7e1f-7c3a-9b57-2f4d3c1b0a99"

func valid() string {
	return `{"event_id": "` + id + `", "event_version": "1.0", "event_timestamp": "2026-03-03T11:59:59.5Z",
		"event_type": "gateway.signal.received", "event_category": "gateway", "event_action": "received",
		"event_outcome": "success", "actor_type": "service", "actor_id": "gateway", "correlation_id": "rr-1", "event_data": {}}`
}

func batchOf(events ...string) string { return `{"events": [` + strings.Join(events, ",") + `]}` }

// broken is a body that ends in the middle.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
