package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/semaphore"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/recorder"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// The routes of the API.
const (
	PathEvents = "/api/v1/audit/events"
	PathBatch  = "/api/v1/audit/events/batch"
	PathHealth = "/health"
	PathLive   = "/health/live"
	PathReady  = "/health/ready"
)

// Recorder takes events.
type Recorder interface {
	Record(ctx context.Context, events []event.Event) (recorder.Outcome, error)
}

// Reader reads events and knows the state of the database.
type Reader interface {
	Query(ctx context.Context, q store.Query) (store.Page, error)
	State() store.State
}

// Reserve knows the state of the queue.
type Reserve interface {
	Up() bool
}

// Dependencies are what the API is made of. All are needed, except Clock.
type Dependencies struct {
	Recorder Recorder
	Reader   Reader
	Reserve  Reserve
	Metrics  *metrics.Metrics
	Log      *slog.Logger
	// Clock tells the time. Nil means time.Now.
	Clock func() time.Time
}

// Server is the API.
type Server struct {
	Dependencies
	config   config.Config
	stopping atomic.Bool
	// requests are those that run, bodies the bytes that the writes among them hold.
	requests, bodies *semaphore.Weighted
}

// New returns the API.
func New(c config.Config, d Dependencies) *Server {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	d.Log = d.Log.With("component", "server")
	return &Server{
		Dependencies: d, config: c,
		requests: semaphore.NewWeighted(int64(c.Server.MaxInFlight)),
		bodies:   semaphore.NewWeighted(c.Server.MaxInFlightBytes),
	}
}

// Stopping makes the server not ready, while it goes on answering.
func (s *Server) Stopping() { s.stopping.Store(true) }

// Handler returns the routes with their middleware.
func (s *Server) Handler() http.Handler {
	router := chi.NewRouter()
	router.Use(requestID, securityHeaders, s.observe, s.recoverPanic)
	router.NotFound(problem.NotFound)
	router.MethodNotAllowed(s.methodNotAllowed(router))

	router.Get(PathHealth, s.health)
	router.Get(PathLive, s.live)
	router.Get(PathReady, s.ready)
	router.Get(PathOpenAPI, s.describe)

	limited := router.With(s.limitInFlight)
	limited.With(jsonOnly(s.Metrics)).Post(PathEvents, s.writeEvent)
	limited.With(jsonOnly(s.Metrics)).Post(PathBatch, s.writeBatch)
	limited.Get(PathEvents, s.queryEvents)
	return router
}

// rules are the rules for an event that arrives now.
func (s *Server) rules() event.Rules {
	return event.Rules{Now: s.Clock(), MaxAge: s.config.Events.MaxAge, MaxAhead: s.config.Events.MaxAhead}
}

// methodNotAllowed names the methods that the path takes, as RFC 9110 demands.
func (s *Server) methodNotAllowed(router chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if router.Match(chi.NewRouteContext(), method, r.URL.Path) {
				w.Header().Add("Allow", method)
			}
		}
		problem.MethodNotAllowed(w, r)
	}
}
