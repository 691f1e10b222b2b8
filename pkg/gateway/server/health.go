package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

const (
	// pingTimeout bounds the question to the API server.
	pingTimeout = 5 * time.Second
	// pingTTL is how long an answer is reused: anybody may ask for readiness, and
	// must not thereby put load on the API server.
	pingTTL = time.Second
)

// Health answers the probes. Make one with NewHealth.
type Health struct {
	synced   func() bool
	ping     func(context.Context) error
	logger   *slog.Logger
	stopping atomic.Bool

	mu     sync.Mutex
	asked  time.Time
	answer error
}

// NewHealth makes the probes from the state of the cache and a call that reaches
// the API server.
func NewHealth(synced func() bool, ping func(context.Context) error, logger *slog.Logger) *Health {
	return &Health{synced: synced, ping: ping, logger: logger}
}

// Stop makes the Gateway not ready for good.
func (h *Health) Stop() { h.stopping.Store(true) }

// CloseConnections asks clients to connect anew once the Gateway is stopping, so
// that they reach another replica before this one is gone. Requests that arrive
// meanwhile are still answered.
func (h *Health) CloseConnections(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Live answers that the process runs.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "healthy"})
}

// Ready answers whether signals should be sent here.
func (h *Health) Ready(w http.ResponseWriter, r *http.Request) {
	detail := ""
	switch {
	case h.stopping.Load():
		detail = "The Gateway is shutting down."
	case !h.synced():
		detail = "The cache of requests is not filled yet."
	case h.reach(r.Context()) != nil:
		detail = "The Kubernetes API cannot be reached."
	}
	if detail != "" {
		problem.Write(w, r, problem.Problem{
			Type: problem.TypeServiceUnavailable, Detail: detail, RetryAfter: time.Second,
		})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// reach asks the API server, unless it was asked a moment ago. Probes that come
// together share one question.
func (h *Health) reach(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.asked) < pingTTL {
		return h.answer
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	h.answer = h.ping(ctx)
	h.asked = time.Now()
	if h.answer != nil {
		h.logger.ErrorContext(ctx, "the Kubernetes API cannot be reached", "error", h.answer)
	}
	return h.answer
}
