package datastorage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/queue"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/recorder"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

// Service is DataStorage with its ports open.
type Service struct {
	config  config.Config
	log     *slog.Logger
	store   *store.Store
	queue   *queue.Queue
	worker  *queue.Worker
	server  *server.Server
	metrics *metrics.Metrics

	api, telemetry net.Listener
}

// New builds the service and opens its ports. It does not need the stores. A Service
// must be given to Run, which closes everything.
func New(ctx context.Context, c config.Config, log *slog.Logger) (*Service, error) {
	s := &Service{config: c, log: log, metrics: metrics.New(nil)}
	database, err := store.New(store.Options{
		PostgreSQL:  c.PostgreSQL,
		Watch:       c.Stores,
		OldestEvent: c.Events.MaxAge,
		Retention:   c.Retention.Months,
		Clock:       c.Clock.Now,
		Changed:     s.databaseChanged,
	}, log)
	if err != nil {
		return nil, err
	}
	s.store = database
	s.queue = queue.New(c.Redis)
	s.worker = queue.NewWorker(s.queue, s.store, s.metrics, queue.WorkerOptions{
		Interval:     c.Queue.ReplayInterval,
		Batch:        c.Queue.ReplayBatch,
		StoreTimeout: c.Write.PostgreSQLTimeout,
		QueueTimeout: c.Write.QueueTimeout,
	}, log)
	s.server = server.New(c, server.Dependencies{
		Recorder: recorder.New(s.store, s.queue, recorder.Options{
			StoreTimeout: c.Write.PostgreSQLTimeout, QueueTimeout: c.Write.QueueTimeout,
		}, log),
		Reader:  s.store,
		Reserve: s.queue,
		Metrics: s.metrics,
		Log:     log,
		Clock:   c.Clock.Now,
	})
	if err := s.listen(ctx); err != nil {
		s.closeStores()
		return nil, err
	}
	return s, nil
}

func (s *Service) listen(ctx context.Context) (err error) {
	var listen net.ListenConfig
	if s.api, err = listen.Listen(ctx, "tcp", s.config.Server.Address); err != nil {
		return fmt.Errorf("server.address: %w", err)
	}
	if s.telemetry, err = listen.Listen(ctx, "tcp", s.config.Server.MetricsAddress); err != nil {
		return errors.Join(fmt.Errorf("server.metrics_address: %w", err), s.api.Close())
	}
	return nil
}

// Address is where the API listens.
func (s *Service) Address() string { return s.api.Addr().String() }

// MetricsAddress is where the metrics are served.
func (s *Service) MetricsAddress() string { return s.telemetry.Addr().String() }

// databaseChanged tells whoever depends on the state of PostgreSQL.
func (s *Service) databaseChanged(state store.State) {
	s.metrics.StoreUp("postgresql", state.Up)
	if state.Up {
		s.worker.Wake()
	}
}

// Run serves until ctx ends, and then stops in this order: not ready, wait until load
// balancers know, finish the running requests, stop the background work, close the
// stores, and only then the metrics. A clean stop returns nil.
func (s *Service) Run(ctx context.Context) error {
	defer s.closeStores()
	api := &http.Server{
		Handler:           s.server.Handler(),
		ReadHeaderTimeout: s.config.Server.ReadTimeout,
		ReadTimeout:       s.config.Server.ReadTimeout,
		WriteTimeout:      s.writeTimeout(),
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	telemetryRoutes := http.NewServeMux()
	telemetryRoutes.Handle("GET /metrics", s.metrics.Handler())
	telemetry := &http.Server{Handler: telemetryRoutes, ReadHeaderTimeout: s.config.Server.ReadTimeout}

	// The servers and the background work outlive ctx: it only starts the stop.
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	group, failed := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(api, s.api) })
	group.Go(func() error { return serve(telemetry, s.telemetry) })
	group.Go(func() error { s.store.Run(background); return nil })
	group.Go(func() error { s.worker.Run(background); return nil })
	group.Go(func() error {
		<-failed.Done()
		err := s.drain(context.WithoutCancel(ctx), api)
		stopBackground()
		return errors.Join(err, telemetry.Close())
	})
	s.log.InfoContext(ctx, "DataStorage is listening", "address", s.Address(), "metrics_address", s.MetricsAddress())
	err := group.Wait()
	s.log.InfoContext(ctx, "DataStorage has stopped")
	return err
}

// drain finishes the running requests.
func (s *Service) drain(ctx context.Context, api *http.Server) error {
	s.server.Stopping()
	s.log.InfoContext(ctx, "stopping", "delay", s.config.Server.ShutdownDelay.String(), "drain_timeout", s.config.Server.DrainTimeout.String())
	delay := time.NewTimer(s.config.Server.ShutdownDelay)
	defer delay.Stop()
	<-delay.C

	ctx, cancel := context.WithTimeout(ctx, s.config.Server.DrainTimeout)
	defer cancel()
	if err := api.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests still running after %s: %w", s.config.Server.DrainTimeout, errors.Join(err, api.Close()))
	}
	return nil
}

// writeTimeout leaves room for the slowest answer, so that a deadline of a store ends
// in a problem and not in a closed connection.
func (s *Service) writeTimeout() time.Duration {
	write := s.config.Write.PostgreSQLTimeout + 2*s.config.Write.QueueTimeout
	return s.config.Server.ReadTimeout + max(write, s.config.Query.Timeout) + 5*time.Second
}

func (s *Service) closeStores() {
	s.store.Close()
	if err := s.queue.Close(); err != nil {
		s.log.Warn("Redis connections not closed", "error", err.Error())
	}
}

func serve(server *http.Server, listener net.Listener) error {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	}
	return nil
}
