package server

import (
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// retryAfter is what a sender is told to wait when the service cannot take its
// request: about the time in which a store that restarts is back.
const retryAfter = 2 * time.Second

// requestID gives each request an id of its own. One that the sender brings is not
// trusted, because ids must be unique in the log.
func requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := uuid.NewString()
		w.Header().Set("X-Request-ID", id)
		next.ServeHTTP(w, r.WithContext(problem.WithRequestID(r.Context(), id)))
	})
}

func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Content-Security-Policy", "default-src 'none'")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// observe measures and logs each request once, after the answer.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(answer, r)
		took := time.Since(started)

		endpoint := "unmatched"
		if route := chi.RouteContext(r.Context()); route != nil && route.RoutePattern() != "" {
			endpoint = route.RoutePattern()
		}
		status := answer.Status()
		if status == 0 {
			status = http.StatusOK
		}
		s.Metrics.Request(endpoint, knownMethod(r.Method), status, took)

		level := s.Log.InfoContext
		if strings.HasPrefix(r.URL.Path, PathHealth) {
			// A probe asks every second.
			level = s.Log.DebugContext
		}
		level(r.Context(), "request answered", "request_id", problem.RequestID(r.Context()), "method", r.Method,
			"path", r.URL.Path, "status", status, "duration_ms", float64(took.Microseconds())/1000)
	})
}

// knownMethod bounds the label: a method can be any word.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

// recoverPanic turns a mistake of the service into an answer.
func (s *Server) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares the panic value itself.
				panic(cause)
			}
			s.Log.ErrorContext(r.Context(), "handler panicked", "request_id", problem.RequestID(r.Context()),
				"cause", cause, "stack", string(debug.Stack()))
			problem.Write(w, r, problem.Problem{Type: problem.TypeInternal, Detail: "The request could not be processed."})
		}()
		next.ServeHTTP(w, r)
	})
}

// limitInFlight refuses what is above the limit at once: a queue of requests would
// only make all of them late.
func (s *Server) limitInFlight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.requests.TryAcquire(1) {
			s.overloaded(w, r)
			return
		}
		defer s.requests.Release(1)
		next.ServeHTTP(w, r)
	})
}

// overloaded answers a request for which there is no room at the moment. The body is
// read and dropped first: a sender that is still writing when the connection is closed
// would see that and not the answer.
func (s *Server) overloaded(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, s.config.Server.MaxBatchBytes))
	if r.Method == http.MethodPost {
		s.Metrics.Rejected(metrics.ReasonOverload)
	}
	problem.Write(w, r, problem.Problem{
		Type: problem.TypeServiceUnavailable, RetryAfter: retryAfter,
		Detail: "Too many requests are being processed.",
	})
}

const mediaType = "application/json"

// jsonOnly refuses other media types. A missing one is taken as JSON.
func jsonOnly(m *metrics.Metrics) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if sent := r.Header.Get("Content-Type"); sent != "" {
				if parsed, _, err := mime.ParseMediaType(sent); err != nil || parsed != mediaType {
					m.Rejected(metrics.ReasonMediaType)
					w.Header().Set("Accept", mediaType)
					problem.Write(w, r, problem.Problem{
						Type: problem.TypeUnsupportedMediaType, Detail: "The body must be " + mediaType + ".",
					})
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
