package middleware

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"

	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// unmatched is the endpoint of requests that no route takes. Their paths are the
// senders' choice and must not become label values.
const unmatched = "unmatched"

// Observer records one answered request.
type Observer interface {
	Observe(endpoint, method string, status int, took time.Duration)
}

// Observe measures and logs each request once, whatever the answer. A handler
// that panics is answered with 500 here, so that this too is measured.
func Observe(observer Observer, logger *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			wrapped := chimiddleware.NewWrapResponseWriter(w, r.ProtoMajor)
			serve(next, wrapped, r, logger)
			status, took := wrapped.Status(), time.Since(start)
			if status == 0 {
				status = http.StatusOK // What net/http sends for a handler that wrote nothing.
			}
			endpoint := route(r)
			observer.Observe(endpoint, r.Method, status, took)
			logger.Log(r.Context(), levelOf(endpoint, status), "request answered",
				"method", r.Method, "endpoint", endpoint, "path", r.URL.Path, "status", status,
				"duration_ms", float64(took.Microseconds())/1000, "client_ip", ClientIP(r.Context()))
		})
	}
}

// serve calls the handler and turns a panic into an answer.
func serve(next http.Handler, w chimiddleware.WrapResponseWriter, r *http.Request, logger *slog.Logger) {
	ctx := r.Context()
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		logger.ErrorContext(ctx, "a handler panicked", "cause", cause, "stack", string(debug.Stack()))
		if w.Status() == 0 {
			problem.Write(w, r, problem.Problem{
				Type: problem.TypeInternal, Detail: "The Gateway made a mistake; it is logged under the request id.",
			})
		}
	}()
	next.ServeHTTP(w, r)
}

// route returns the pattern of the route that took the request.
func route(r *http.Request) string {
	if routing := chi.RouteContext(r.Context()); routing != nil && routing.RoutePattern() != "" {
		return routing.RoutePattern()
	}
	return unmatched
}

// levelOf keeps the probes, which come every second, out of the normal log.
func levelOf(endpoint string, status int) slog.Level {
	switch endpoint {
	case "/health", "/healthz", "/ready", "/readyz":
		if status < http.StatusBadRequest {
			return slog.LevelDebug
		}
	}
	return slog.LevelInfo
}
