package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/recorder"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
)

func TestWriteIsAnswered(t *testing.T) {
	queued := storing(0)
	queued.record = func(context.Context, []event.Event) (recorder.Outcome, error) {
		return recorder.Outcome{Status: recorder.Queued}, nil
	}
	for name, c := range map[string]struct {
		stores       *stores
		path, body   string
		status       int
		answer, line string
	}{
		"single stored": {
			storing(1), server.PathEvents, valid(), http.StatusCreated,
			`{"event_id":"` + id + `","status":"stored","event_timestamp":"2026-03-03T11:59:59.5Z"}`,
			`datastorage_audit_events_total{result="stored"} 1`,
		},
		"single stored before": {
			storing(0), server.PathEvents, valid(), http.StatusCreated,
			`{"event_id":"` + id + `","status":"stored","event_timestamp":"2026-03-03T11:59:59.5Z"}`,
			`datastorage_audit_events_duplicate_total 1`,
		},
		"single queued": {
			queued, server.PathEvents, valid(), http.StatusAccepted,
			`{"event_id":"` + id + `","status":"queued","event_timestamp":"2026-03-03T11:59:59.5Z"}`,
			`datastorage_audit_events_total{result="queued"} 1`,
		},
		"batch stored": {
			storing(2), server.PathBatch, batchOf(valid(), valid()), http.StatusCreated,
			`{"status":"stored","count":2,"event_ids":["` + id + `","` + id + `"]}`,
			`datastorage_audit_events_total{result="stored"} 2`,
		},
		"batch queued": {
			queued, server.PathBatch, batchOf(valid()), http.StatusAccepted,
			`{"status":"queued","count":1,"event_ids":["` + id + `"]}`,
			`datastorage_write_duration_seconds_count{kind="batch",result="queued"} 1`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(c.stores, nil)
			answer := f.do(http.MethodPost, c.path, c.body, "Content-Type", "application/json; charset=utf-8")
			if got := strings.TrimSpace(answer.Body.String()); answer.Code != c.status || got != c.answer {
				t.Errorf("status %d, body %s, want %d %s", answer.Code, got, c.status, c.answer)
			}
			if got := answer.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q", got)
			}
			if !strings.Contains(f.scrape(), c.line+"\n") {
				t.Errorf("no metric %s", c.line)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	bad := strings.Replace(valid(), `"success"`, `"maybe"`, 1)
	small := func(c *config.Config) { c.Server.MaxEventBytes, c.Server.MaxBatchBytes = 64, 128 }
	for name, c := range map[string]struct {
		change       func(*config.Config)
		path, body   string
		mediaType    string
		status       int
		kind, detail string
		index        int
		reason       string
	}{
		"invalid": {
			path: server.PathEvents, body: bad, status: 400, kind: "validation-error", index: -1, reason: "invalid",
			detail: "event_outcome must be one of success, failure, pending",
		},
		"invalid in a batch": {
			path: server.PathBatch, body: batchOf(valid(), bad), status: 400, kind: "validation-error", index: 1, reason: "invalid",
			detail: "events[1]: event_outcome must be one of success, failure, pending",
		},
		"no JSON": {
			path: server.PathEvents, body: "hello", status: 400, kind: "validation-error", index: -1, reason: "invalid",
			detail: "must be a JSON object",
		},
		"media type": {
			path: server.PathEvents, body: valid(), mediaType: "text/plain", status: 415, kind: "unsupported-media-type",
			detail: "The body must be application/json.", index: -1, reason: "media_type",
		},
		"broken media type": {
			path: server.PathBatch, body: batchOf(valid()), mediaType: "/", status: 415, kind: "unsupported-media-type",
			detail: "The body must be application/json.", index: -1, reason: "media_type",
		},
		"too large": {
			change: small, path: server.PathEvents, body: valid(), status: 413, kind: "payload-too-large",
			detail: "The body is larger than 64 bytes.", index: -1, reason: "too_large",
		},
		"batch too large": {
			change: small, path: server.PathBatch, body: batchOf(valid()), status: 413, kind: "payload-too-large",
			detail: "The body is larger than 128 bytes.", index: -1, reason: "too_large",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(storing(1), c.change)
			var header []string
			if c.mediaType != "" {
				header = []string{"Content-Type", c.mediaType}
			}
			answer := f.do(http.MethodPost, c.path, c.body, header...)
			body := mustProblem(t, answer, c.status, c.kind, c.detail)
			if (body.Index == nil) != (c.index < 0) || body.Index != nil && *body.Index != c.index {
				t.Errorf("index %v, want %d", body.Index, c.index)
			}
			if c.status == 415 && answer.Header().Get("Accept") != "application/json" {
				t.Error("no Accept header")
			}
			if want := `datastorage_requests_rejected_total{reason="` + c.reason + `"} 1`; !strings.Contains(f.scrape(), want+"\n") {
				t.Errorf("no metric %s", want)
			}
		})
	}
}

func TestWriteThatNoStoreTakes(t *testing.T) {
	s := storing(0)
	s.record = func(context.Context, []event.Event) (recorder.Outcome, error) {
		return recorder.Outcome{}, recorder.ErrUnavailable
	}
	f := newFixture(s, nil)
	mustProblem(t, f.do(http.MethodPost, server.PathBatch, batchOf(valid())), 503, "service-unavailable",
		"Neither the database nor the queue can take events at the moment. Nothing was accepted.")
	if want := `datastorage_audit_events_total{result="failed"} 1`; !strings.Contains(f.scrape(), want+"\n") {
		t.Errorf("no metric %s", want)
	}
}

func TestWriteThatTheDatabaseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		path, body, detail string
		index              int
	}{
		"single":        {server.PathEvents, valid(), "the database cannot represent a value of this event", 0},
		"batch":         {server.PathBatch, batchOf(valid(), valid()), "events[1]: the database cannot represent a value of this event", 1},
		"batch unknown": {server.PathBatch, batchOf(valid()), "the database cannot represent a value of this event", -1},
	} {
		t.Run(name, func(t *testing.T) {
			s := storing(0)
			s.record = func(context.Context, []event.Event) (recorder.Outcome, error) {
				return recorder.Outcome{}, &recorder.RefusedError{Index: c.index, Err: errors.New("secret inside")}
			}
			mustProblem(t, newFixture(s, nil).do(http.MethodPost, c.path, c.body), 400, "validation-error", c.detail)
		})
	}
}

func TestBodyThatEndsEarly(t *testing.T) {
	f := newFixture(storing(1), nil)
	for _, path := range []string{server.PathEvents, server.PathBatch} {
		answer := httptest.NewRecorder()
		f.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, path, broken{}))
		mustProblem(t, answer, 400, "validation-error", "the body could not be read completely")
	}
}

func TestPanicIsAnswered(t *testing.T) {
	s := storing(0)
	s.record = func(context.Context, []event.Event) (recorder.Outcome, error) { panic("oops") }
	mustProblem(t, newFixture(s, nil).do(http.MethodPost, server.PathEvents, valid()), 500, "internal-error",
		"The request could not be processed.")
}

func TestAbortIsPassedOn(t *testing.T) {
	s := storing(0)
	s.record = func(context.Context, []event.Event) (recorder.Outcome, error) { panic(http.ErrAbortHandler) }
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler { //nolint:errorlint // The value itself is promised.
			t.Errorf("recovered %v", cause)
		}
	}()
	newFixture(s, nil).do(http.MethodPost, server.PathEvents, valid())
}

func TestTooManyAtOnce(t *testing.T) {
	s := storing(1)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.record = func(context.Context, []event.Event) (recorder.Outcome, error) {
		entered <- struct{}{}
		<-leave
		return recorder.Outcome{Status: recorder.Stored, Fresh: 1}, nil
	}
	f := newFixture(s, func(c *config.Config) { c.Server.MaxInFlight = 1 })
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- f.do(http.MethodPost, server.PathEvents, valid()) }()
	<-entered
	mustProblem(t, f.do(http.MethodPost, server.PathEvents, valid()), 503, "service-unavailable", "Too many requests are being processed.")
	mustProblem(t, f.do(http.MethodGet, server.PathEvents, ""), 503, "service-unavailable", "Too many requests are being processed.")
	if answer := f.do(http.MethodGet, server.PathLive, ""); answer.Code != http.StatusOK {
		t.Errorf("health answered %d while the API is busy", answer.Code)
	}
	close(leave)
	if answer := <-first; answer.Code != http.StatusCreated {
		t.Errorf("the first request was answered %d", answer.Code)
	}
	if want := `datastorage_requests_rejected_total{reason="overload"} 1`; !strings.Contains(f.scrape(), want+"\n") {
		t.Errorf("no metric %s", want)
	}
}

// Bodies are bounded together: a few large ones, or many small ones.
func TestTooManyBytesAtOnce(t *testing.T) {
	s := storing(1)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.record = func(context.Context, []event.Event) (recorder.Outcome, error) {
		entered <- struct{}{}
		<-leave
		return recorder.Outcome{Status: recorder.Stored, Fresh: 1}, nil
	}
	f := newFixture(s, func(c *config.Config) { c.Server.MaxInFlightBytes = int64(len(valid())) * 3 / 2 })
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- f.do(http.MethodPost, server.PathEvents, valid()) }()
	<-entered
	mustProblem(t, f.do(http.MethodPost, server.PathEvents, valid()), 503, "service-unavailable", "Too many requests are being processed.")
	if answer := f.do(http.MethodGet, server.PathEvents, ""); answer.Code != http.StatusOK {
		t.Errorf("a query was answered %d, it has no body", answer.Code)
	}
	close(leave)
	if answer := <-first; answer.Code != http.StatusCreated {
		t.Errorf("the first request was answered %d", answer.Code)
	}
	// Its bytes are free again, also after a body that cannot be read.
	mustProblem(t, f.do(http.MethodPost, server.PathEvents, "{"), 400, "validation-error", "not valid JSON")
	go func() { <-entered }()
	if answer := f.do(http.MethodPost, server.PathEvents, valid()); answer.Code != http.StatusCreated {
		t.Errorf("a later request was answered %d", answer.Code)
	}
}
