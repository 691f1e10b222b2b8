package signalprocessing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/audit"
)

// stopTimeout bounds the end of what runs, auditTimeout the last batches after that. The
// pod's grace period is longer than both.
const (
	stopTimeout  = 10 * time.Second
	auditTimeout = 8 * time.Second
)

// workers is how many requests are worked on at a time. Each takes three calls of the API
// server one after the other.
const workers = 4

// leaseName is that of the Lease in which a leader is elected.
const leaseName = "signalprocessing.kubernaut.ai"

// How audit events are sent, as the Gateway does by default. requestTimeout bounds one batch.
const (
	batchSize      = 1000
	bufferSize     = 30_000
	flushInterval  = time.Second
	maxBackoff     = 30 * time.Second
	requestTimeout = 5 * time.Second
)

// Options are what the controller runs with. All but LeaderElect are needed.
type Options struct {
	// Address is where probes are answered, MetricsAddress where metrics are served.
	Address, MetricsAddress string
	// Rules is the file with the rules, DataStorageURL where audit events go.
	Rules, DataStorageURL string
	// LeaderElect lets one of several replicas work and the others stand by.
	LeaderElect bool
	// Rest reaches the API server.
	Rest *rest.Config
	Log  *slog.Logger
}

// Run watches until ctx ends, and then returns nil when what runs has ended in time and
// the audit events are sent. It starts without an API server and without DataStorage too,
// and is not ready until it has read all requests. Bad rules are an error.
func Run(ctx context.Context, o Options) error {
	if o.DataStorageURL == "" {
		return errors.New("nothing says where audit events go; set --datastorage-url")
	}
	metrics := NewMetrics()
	rules, err := loadRules(o.Rules, metrics, o.Log)
	if err != nil {
		return err
	}
	if err := ctrlmetrics.Registry.Register(metrics); err != nil {
		return fmt.Errorf("register the metrics: %w", err)
	}
	defer ctrlmetrics.Registry.Unregister(metrics)
	m, err := newManager(o)
	if err != nil {
		return err
	}
	sink := audit.NewSink(ctx, audit.NewClient(o.DataStorageURL, requestTimeout), audit.Options{
		BatchSize: batchSize, BufferSize: bufferSize, FlushInterval: flushInterval, MaxBackoff: maxBackoff,
	}, metrics, o.Log)
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
		defer cancel()
		sink.Close(ending)
	}()
	reconciler := &Reconciler{
		Client: m.GetClient(), Live: m.GetAPIReader(), Rules: rules.now.Load, Record: sink.Add, Metrics: metrics, Now: time.Now,
	}
	if err := errors.Join(probes(m, o.LeaderElect), watch(m, reconciler), m.Add(manager.RunnableFunc(rules.watch))); err != nil {
		return err
	}
	return m.Start(ctx)
}

func newManager(o Options) (manager.Manager, error) {
	logger := logr.FromSlogHandler(o.Log.Handler())
	ctrllog.SetLogger(logger)
	klog.SetSlogLogger(o.Log)
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("make the scheme: %w", err)
	}
	api := rest.AddUserAgent(o.Rest, "signalprocessing")
	// The API server shares its time out fairly itself.
	api.QPS = -1
	m, err := manager.New(api, manager.Options{
		Scheme: scheme, MapperProvider: kinds, Logger: logger, GracefulShutdownTimeout: new(stopTimeout),
		Metrics:                metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress: o.Address, ReadinessEndpointName: "/ready",
		LeaderElection: o.LeaderElect, LeaderElectionID: leaseName, LeaderElectionReleaseOnCancel: true,
		// Names are for the metrics of a process; tests have more than one of this name.
		Controller: config.Controller{SkipNameValidation: new(true), MaxConcurrentReconciles: workers},
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	return m, nil
}

// kinds tells the manager of the kinds that it uses: there is no discovery at the
// start that could fail.
func kinds(*rest.Config, *http.Client) (meta.RESTMapper, error) {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.GroupVersion().WithKind("RemediationRequest"), meta.RESTScopeNamespace)
	mapper.Add(namespaceKind(), meta.RESTScopeRoot)
	return mapper, nil
}

// probes makes the manager alive when it runs, and ready when it has read all requests, or
// stands by: a rolling update waits for the new pod before it ends the leader.
func probes(m manager.Manager, standby bool) error {
	unread := errors.New("the requests have not been read yet")
	return errors.Join(
		m.AddHealthzCheck("running", healthz.Ping),
		m.AddReadyzCheck("requests", func(r *http.Request) error {
			select {
			case <-m.Elected():
			default:
				if standby {
					return nil
				}
				// A manager that has something to read before it starts waits for that, also
				// when it is told to stop.
				return unread
			}
			requests, err := m.GetCache().GetInformer(r.Context(), &v1alpha1.RemediationRequest{}, cache.BlockUntilSynced(false))
			if err == nil && !requests.HasSynced() {
				err = unread
			}
			return err
		}),
	)
}

// watch has the Reconciler look at each request that is new or whose spec has changed.
func watch(m manager.Manager, reconciler *Reconciler) error {
	err := builder.ControllerManagedBy(m).Named("signalprocessing").
		For(&v1alpha1.RemediationRequest{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(reconcile.AsReconciler(m.GetClient(), reconciler))
	if err != nil {
		return fmt.Errorf("make the controller: %w", err)
	}
	return nil
}
