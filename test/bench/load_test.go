package bench

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// gatewayLike answers like the Gateway: it knows pods, and its one token.
func gatewayLike(t *testing.T) *httptest.Server {
	t.Helper()
	var mu sync.Mutex
	known := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var webhook struct {
			Alerts []struct{ Labels map[string]string }
		}
		switch {
		case r.Header.Get("Authorization") != "Bearer right":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("X-Timestamp") != "7200":
			w.WriteHeader(http.StatusBadRequest)
		case json.NewDecoder(r.Body).Decode(&webhook) != nil || webhook.Alerts[0].Labels["pod"] == "":
			w.WriteHeader(http.StatusBadRequest)
		default:
			mu.Lock()
			defer mu.Unlock()
			pod := webhook.Alerts[0].Labels["pod"]
			if known[pod] {
				w.WriteHeader(http.StatusAccepted)
				return
			}
			known[pod] = true
			w.WriteHeader(http.StatusCreated)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestLoadsAreAnsweredAsTheyShouldBe(t *testing.T) {
	server := gatewayLike(t)
	s := sender{base: server.URL, token: "right", namespace: "shop", problems: 20, now: func() time.Time { return time.Unix(7200, 0) }}
	m := &measurement{sender: s}
	if err := m.open(t.Context()); err != nil || m.accepted != s.problems {
		t.Fatalf("accepted %d: %v", m.accepted, err)
	}
	for name, one := range map[string]struct {
		targets          vegeta.Targeter
		created, counted int
	}{
		LoadNew:        {s.opening("new-"), 100, 0},
		LoadDuplicates: {s.repeating(), 0, 100},
		LoadRefusals:   {s.refused(), 0, 0},
		LoadSoak:       {s.mixed(), 1, 69},
	} {
		var c counter
		l := load{name, 2000, time.Minute, limited(100, one.targets)}
		if err := l.attack(t.Context(), 4, c.add); err != nil {
			t.Fatal(err)
		}
		got := c.done()
		if got.Requests != 100 || got.Good != 100 || got.Errors != 0 || got.Created != one.created || got.Counted != one.counted ||
			got.Events() != 2*one.created+one.counted || got.Success() != 1 || got.PerSecond() <= 0 || got.P99 < got.P50 || got.Max < got.P99 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWrongAnswersAreErrors(t *testing.T) {
	server := gatewayLike(t)
	s := sender{base: server.URL, token: "wrong", namespace: "shop", problems: 20, now: time.Now}
	var c counter
	l := load{LoadNew, 1000, time.Minute, limited(10, s.opening("new-"))}
	if err := l.attack(t.Context(), 2, c.add); err != nil {
		t.Fatal(err)
	}
	if got := c.done(); got.Errors != 10 || got.Good != 0 || !slices.Equal(got.Reasons, []string{"answered 401, wanted 201"}) {
		t.Errorf("got %+v", got)
	}
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	if err := l.attack(ctx, 2, c.add); !errors.Is(err, stopped) {
		t.Errorf("got %v", err)
	}
	if err := (&measurement{sender: s, system: &system{}}).open(t.Context()); err == nil || !strings.Contains(err.Error(), "of 20 alerts 0 were answered with 201") {
		t.Errorf("got %v", err)
	}
}
