package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/audit"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/adapters"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/middleware"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/processing"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// The routes that take signals. A sender needs the verb post on them.
const (
	PathPrometheus      = "/api/v1/signals/prometheus"
	PathAlertmanager    = "/api/v1/signals/alertmanager"
	PathKubernetesEvent = "/api/v1/signals/kubernetes-event"
)

// Adapter turns a body into signals.
type Adapter interface {
	Type() v1alpha1.SignalType
	Parse(body []byte, received time.Time) ([]adapters.Parsed, error)
}

// Recorder stores a signal.
type Recorder interface {
	Record(ctx context.Context, signal adapters.Signal) (processing.Outcome, error)
}

// Server answers requests. Its parts are given by Run, or by a test.
type Server struct {
	Config     config.Config
	Recorder   Recorder
	Authorizer middleware.Authorizer
	Audit      *audit.Sink
	Metrics    *metrics.Metrics
	Health     *Health
	Logger     *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handler returns the routes of the API port. The order of the middleware is part
// of the contract: it decides which refusal a request with several faults gets.
func (s *Server) Handler() (http.Handler, error) {
	trusted, err := prefixes(s.Config.Server.TrustedProxies)
	if err != nil {
		return nil, err
	}
	reference, err := newReference()
	if err != nil {
		return nil, err
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	router := chi.NewRouter()
	router.Use(
		middleware.Framing,
		middleware.RequestID,
		middleware.RealIP(trusted),
		middleware.SecurityHeaders,
		s.Health.CloseConnections,
		middleware.Observe(s.Metrics, s.Logger),
		middleware.CORS(s.Config.Server.CORSOrigins),
	)
	router.NotFound(problem.NotFound)
	router.MethodNotAllowed(notAllowed(router))
	for _, path := range []string{"/health", "/healthz"} {
		router.Get(path, s.Health.Live)
	}
	for _, path := range []string{"/ready", "/readyz"} {
		router.Get(path, s.Health.Ready)
	}
	router.Method(http.MethodGet, PathOpenAPI, reference)
	router.Group(func(signals chi.Router) {
		signals.Use(middleware.InFlight(s.Config.Server.MaxInFlight, s.Metrics))
		if s.Config.Auth.Enabled {
			signals.Use(middleware.Auth(s.Authorizer, s.Metrics, s.Logger))
		}
		signals.Use(
			middleware.BodyLimit(s.Config.Server.MaxBodyBytes, s.Metrics),
			middleware.ContentType(s.Metrics),
		)
		signals.With(s.timestamp(false)).Post(PathPrometheus, s.receive(adapters.Prometheus{}))
		// Alertmanager cannot send a header whose value moves; its token protects it.
		signals.With(s.timestamp(true)).Post(PathAlertmanager, s.receive(adapters.Prometheus{}))
		signals.With(s.timestamp(false)).Post(PathKubernetesEvent, s.receive(adapters.KubernetesEvent{}))
	})
	return router, nil
}

func (s *Server) timestamp(optional bool) func(http.Handler) http.Handler {
	return middleware.Timestamp(middleware.Freshness{
		MaxAge: s.Config.Replay.MaxAge.Std(), MaxAhead: s.Config.Replay.MaxAhead.Std(),
		Optional: optional, Now: s.Now,
	}, s.Metrics)
}

// notAllowed adds to the problem what the path does take, as RFC 9110 asks for.
func notAllowed(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if routes.Match(chi.NewRouteContext(), method, r.URL.Path) {
				w.Header().Add("Allow", method)
			}
		}
		problem.MethodNotAllowed(w, r)
	}
}

func prefixes(networks []string) ([]netip.Prefix, error) {
	parsed := make([]netip.Prefix, 0, len(networks))
	for _, network := range networks {
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, prefix)
	}
	return parsed, nil
}
