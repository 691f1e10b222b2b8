package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hybrid-e2e/hybrid/pkg/audit"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/middleware"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/processing"
)

// headerTimeout bounds the reading of a request's headers, so that idle senders
// cannot hold connections.
const headerTimeout = 5 * time.Second

// maxHeaderBytes is sixteen times what a sender with a large token needs. Headers
// are read before anybody is known to be allowed to send.
const maxHeaderBytes = 64 << 10

// Options are what the Gateway runs with. All but Watch and Level are needed.
type Options struct {
	// Config is what holds at the start.
	Config config.Config
	// Watch tells what the configuration has become, until its context ends. nil
	// means that it never changes.
	Watch func(context.Context, func(config.Config, error)) error
	// Rest reaches the API server.
	Rest   *rest.Config
	Logger *slog.Logger
	// Level is the level of Logger. nil means that it never changes.
	Level *slog.LevelVar
}

// Run is the Gateway from start to end. It returns nil after an orderly end, which
// begins when ctx ends: everything that was accepted is then stored and audited.
func Run(ctx context.Context, o Options) error {
	settings, logger := o.Config, o.Logger
	ctrllog.SetLogger(logr.FromSlogHandler(logger.Handler()))
	klog.SetSlogLogger(logger)
	kubernetes, err := connect(o.Rest, settings.Kubernetes)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	live, err := newLive(assemble(ctx, settings, kubernetes, metrics.New(registry), logger), o.Level)
	if err != nil {
		return err
	}
	listen := net.ListenConfig{}
	api, err := listen.Listen(ctx, "tcp", settings.Server.Address)
	if err != nil {
		return fmt.Errorf("listen for signals: %w", err)
	}
	scrape, err := listen.Listen(ctx, "tcp", settings.Server.MetricsAddress)
	if err != nil {
		_ = api.Close()
		return fmt.Errorf("listen for metrics: %w", err)
	}
	scrapes := http.NewServeMux()
	scrapes.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	p := &process{
		live: live, watch: o.Watch, kubernetes: kubernetes, logger: logger,
		api: httpServer(live, settings.Server, logger), apiListener: api,
		scrape: httpServer(scrapes, settings.Server, logger), scrapeListener: scrape,
	}
	logger.InfoContext(ctx, "the Gateway listens", "address", api.Addr().String(), "metrics_address", scrape.Addr().String())
	return p.run(ctx)
}

// assemble joins the parts.
func assemble(ctx context.Context, settings config.Config, kubernetes *cluster, recorded *metrics.Metrics, logger *slog.Logger) *Server {
	retry := processing.Retry{
		Attempts: settings.Kubernetes.Retry.Attempts,
		Initial:  settings.Kubernetes.Retry.InitialDelay.Std(),
		Max:      settings.Kubernetes.Retry.MaxDelay.Std(),
		Timeout:  settings.Kubernetes.RequestTimeout.Std(),
	}
	server := &Server{
		Config: settings,
		Recorder: processing.New(kubernetes.live, kubernetes.hint, processing.Options{
			FallbackNamespace: settings.Processing.FallbackNamespace, Retry: retry,
			Timeout: settings.Processing.Timeout.Std(),
		}, logger),
		Authorizer: middleware.NewCachedAuthorizer(
			middleware.KubernetesAuthorizer{Client: kubernetes.live, Retry: retry},
			settings.Auth.CacheTTL.Std(), settings.Processing.Timeout.Std(), time.Now),
		Metrics: recorded,
		Health:  NewHealth(kubernetes.hint.synced.Load, kubernetes.ping, logger),
		Logger:  logger,
	}
	if settings.Audit.Enabled {
		server.Audit = audit.NewSink(ctx,
			audit.NewClient(settings.Audit.DataStorageURL, settings.Audit.RequestTimeout.Std()),
			audit.Options{
				BatchSize: settings.Audit.BatchSize, BufferSize: settings.Audit.BufferSize,
				FlushInterval: settings.Audit.FlushInterval.Std(), MaxBackoff: settings.Audit.MaxBackoff.Std(),
			}, recorded, logger)
	}
	return server
}

func httpServer(handler http.Handler, settings config.Server, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ReadTimeout:       settings.ReadTimeout.Std(),
		WriteTimeout:      settings.WriteTimeout.Std(),
		IdleTimeout:       settings.IdleTimeout.Std(),
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		// "OPTIONS *" gets the same headers and problem as any other wrong request.
		DisableGeneralOptionsHandler: true,
	}
}

// process is the running Gateway.
type process struct {
	live                        *live
	watch                       func(context.Context, func(config.Config, error)) error
	kubernetes                  *cluster
	logger                      *slog.Logger
	api, scrape                 *http.Server
	apiListener, scrapeListener net.Listener
}

// run serves until ctx ends or a part fails, then ends the parts in the order in
// which they depend on each other.
func (p *process) run(ctx context.Context) error {
	// The parts outlive ctx: they are what the orderly end works with.
	parts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	group, failed := errgroup.WithContext(parts)
	group.Go(func() error { return serve("signals", p.api, p.apiListener) })
	group.Go(func() error { return serve("metrics", p.scrape, p.scrapeListener) })
	group.Go(func() error { return p.kubernetes.run(parts) })
	if p.watch != nil {
		group.Go(func() error {
			return p.watch(parts, func(next config.Config, err error) { p.live.reload(parts, next, err) })
		})
	}
	select {
	case <-ctx.Done():
		p.logger.InfoContext(ctx, "the Gateway is asked to stop")
	case <-failed.Done():
		p.logger.ErrorContext(ctx, "a part of the Gateway failed", "error", context.Cause(failed))
	}
	ending := p.end(parts, failed.Done())
	cancel()
	return errors.Join(ending, group.Wait())
}

// end stops taking requests, answers those that are here and sends the audit
// events. Nothing is delayed when a part has failed already.
func (p *process) end(parts context.Context, failed <-chan struct{}) error {
	server := p.live.now()
	shutdown := server.Config.Shutdown
	server.Health.Stop()
	delay := time.NewTimer(shutdown.Delay.Std())
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-failed:
	}
	unfinished := within(parts, shutdown.DrainTimeout, p.api.Shutdown)
	if unfinished != nil {
		unfinished = fmt.Errorf("requests were still being answered after %s: %w", shutdown.DrainTimeout.Std(), unfinished)
		_ = p.api.Close()
	}
	_ = within(parts, shutdown.AuditTimeout, func(ctx context.Context) error {
		server.Audit.Close(ctx)
		return nil
	})
	// Metrics come last, so that the end can be watched.
	if err := within(parts, shutdown.AuditTimeout, p.scrape.Shutdown); err != nil {
		_ = p.scrape.Close()
	}
	p.logger.InfoContext(parts, "the Gateway has stopped")
	return unfinished
}

func within(ctx context.Context, limit config.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit.Std())
	defer cancel()
	return do(ctx)
}

func serve(what string, server *http.Server, listener net.Listener) error {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", what, err)
	}
	return nil
}
