package server

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
)

// liveFixture is a fixture whose configuration can change.
func liveFixture(t *testing.T) (*fixture, *live) {
	t.Helper()
	f := newFixture(t, func(s *Server) { s.Config.Audit.Enabled = false })
	l, err := newLive(f.server, new(slog.LevelVar))
	if err != nil {
		t.Fatal(err)
	}
	f.handler = l
	return f, l
}

func TestAChangedConfigurationHoldsForTheNextRequest(t *testing.T) {
	f, l := liveFixture(t)
	body := webhook(alertOf("p"))
	if got := f.send(PathPrometheus, body, nil).Code; got != http.StatusCreated {
		t.Fatalf("answered %d", got)
	}
	next := l.now().Config
	next.Server.MaxBodyBytes = int64(len(body)) - 1
	next.Server.Address = "127.0.0.1:1"
	next.Log.Level = "debug"
	l.reload(t.Context(), next, nil)

	if got := f.send(PathPrometheus, body, nil).Code; got != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d", got)
	}
	if l.level.Level() != slog.LevelDebug {
		t.Errorf("level %v", l.level.Level())
	}
	if l.now().Config.Server.Address != ":8080" {
		t.Errorf("address %q", l.now().Config.Server.Address)
	}
	f.metric(t, "gateway_config_reloads_total", "applied", "1")
	want := `"applied":"server.max_body_bytes,log.level","waiting_for_restart":"server.address"`
	if !strings.Contains(f.logs.String(), want) {
		t.Errorf("logged %s", f.logs)
	}
}

func TestAConfigurationWithoutAChangeIsNotTold(t *testing.T) {
	f, l := liveFixture(t)
	l.reload(t.Context(), l.now().Config, nil)
	f.metric(t, "gateway_config_reloads_total", "applied", "0")
	if f.logs.Len() > 0 {
		t.Errorf("logged %s", f.logs)
	}
}

func TestAnUnusableConfigurationChangesNothing(t *testing.T) {
	f, l := liveFixture(t)
	before := l.now()
	l.reload(t.Context(), config.Config{}, errors.New("line 3: no"))

	// The longer processing.timeout would hold at once, the write_timeout that
	// allows it only after a restart.
	contradiction := before.Config
	contradiction.Server.WriteTimeout = config.Duration(2 * time.Minute)
	contradiction.Processing.Timeout = config.Duration(time.Minute)
	l.reload(t.Context(), contradiction, nil)

	if l.now() != before {
		t.Error("another server answers")
	}
	f.metric(t, "gateway_config_reloads_total", "refused", "2")
	for _, want := range []string{"line 3: no", "server.write_timeout: must be longer"} {
		if !strings.Contains(f.logs.String(), want) {
			t.Errorf("%q is not in %s", want, f.logs)
		}
	}
}
