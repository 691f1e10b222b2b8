package server

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
)

// live is the Server that answers at the moment. A changed configuration makes
// another one with the same parts; requests that are being answered stay with the
// one that took them, so that each sees a single configuration.
type live struct {
	current atomic.Pointer[generation]
	level   *slog.LevelVar
}

// generation is a Server with its routes.
type generation struct {
	server  *Server
	handler http.Handler
}

func newLive(server *Server, level *slog.LevelVar) (*live, error) {
	l := &live{level: level}
	return l, l.replace(server)
}

// replace lets server take all further requests. Those of the one before are not
// counted against its max_in_flight.
func (l *live) replace(server *Server) error {
	handler, err := server.Handler()
	if err != nil {
		return err
	}
	l.current.Store(&generation{server: server, handler: handler})
	if l.level != nil {
		l.level.Set(server.Config.Log.SlogLevel())
	}
	return nil
}

func (l *live) now() *Server { return l.current.Load().server }

// ServeHTTP implements http.Handler.
func (l *live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.current.Load().handler.ServeHTTP(w, r)
}

// reload lets the live keys of next hold from now on. One that cannot be used
// changes nothing; both are logged and counted.
func (l *live) reload(ctx context.Context, next config.Config, err error) {
	server := *l.now()
	adopted, applied, waiting := server.Config.Adopt(next)
	if err == nil && len(applied) == 0 && len(waiting) == 0 {
		return
	}
	if err == nil {
		// A live key can contradict one that still waits for a restart.
		err = adopted.Validate()
	}
	server.Config = adopted
	if err == nil {
		err = l.replace(&server)
	}
	if err != nil {
		server.Metrics.Reloaded(metrics.ReloadRefused)
		server.Logger.ErrorContext(ctx, "the changed configuration is refused, the one before still holds", "error", err)
		return
	}
	server.Metrics.Reloaded(metrics.ReloadApplied)
	server.Logger.InfoContext(ctx, "the configuration has changed",
		"applied", strings.Join(applied, ","), "waiting_for_restart", strings.Join(waiting, ","))
}
