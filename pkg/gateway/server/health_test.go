package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

func probe(handler http.HandlerFunc) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	handler(recorder, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	return recorder
}

func TestReadyNeedsCacheAndAPIServer(t *testing.T) {
	for name, test := range map[string]struct {
		synced bool
		ping   error
		stop   bool
		detail string
	}{
		"ready":         {true, nil, false, ""},
		"cold cache":    {false, nil, false, "The cache of requests is not filled yet."},
		"no API server": {true, errors.New("dial"), false, "The Kubernetes API cannot be reached."},
		"shutting down": {true, nil, true, "The Gateway is shutting down."},
	} {
		health := NewHealth(func() bool { return test.synced }, func(context.Context) error { return test.ping }, NewLogger(io.Discard, nil))
		if test.stop {
			health.Stop()
		}
		got := probe(health.Ready)
		if test.detail == "" {
			if got.Code != 200 || got.Body.String() != `{"status":"ready"}` {
				t.Errorf("%s: %d %s", name, got.Code, got.Body)
			}
		} else if body := decoded[problem.Problem](t, got); got.Code != 503 || body.Detail != test.detail {
			t.Errorf("%s: %d %+v", name, got.Code, body)
		}
		if got := probe(health.Live); got.Code != 200 || got.Body.String() != `{"status":"healthy"}` {
			t.Errorf("%s: live %d %s", name, got.Code, got.Body)
		}
	}
}

func TestProbesShareOnePing(t *testing.T) {
	pings := 0
	health := NewHealth(func() bool { return true }, func(context.Context) error { pings++; return nil }, NewLogger(io.Discard, nil))
	for range 10 {
		probe(health.Ready)
	}
	if pings != 1 {
		t.Errorf("%d pings", pings)
	}
}

func TestStoppingAsksForNewConnections(t *testing.T) {
	f := newFixture(t, nil)
	ask := func() *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		f.handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/health", nil))
		return recorder
	}
	if got := ask(); got.Code != 200 || got.Header().Get("Connection") != "" {
		t.Errorf("before: %d %v", got.Code, got.Header())
	}
	f.server.Health.Stop()
	if got := ask(); got.Code != 200 || got.Header().Get("Connection") != "close" {
		t.Errorf("after: %d %v", got.Code, got.Header())
	}
}
