package deploy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

const (
	// fieldManager owns the fields that Hybrid applies.
	fieldManager = "hybrid"
	// defaultTimeout bounds one workload when Options name none. Stores and
	// services are ready within seconds; the rest is room for a busy machine.
	defaultTimeout = 2 * time.Minute
	// The client's own brake is off in practice: one run sends tens of requests,
	// and client-go's default of 5 a second would make it the bottleneck.
	clientQPS, clientBurst = 200, 400
)

// Options say where and what to deploy.
type Options struct {
	// Config reaches the cluster; mandatory.
	Config *rest.Config
	// Kubeconfig is the file Config was read from, for the commands that errors
	// recommend. Empty leaves the flag out of them.
	Kubeconfig string
	// Root is the repository; manifest paths are relative to it.
	Root string
	// Namespace is where secrets are made, where Stop looks, and where objects
	// without a namespace of their own go; mandatory.
	Namespace string
	// Isolation gives all objects names of the run's own, Namespace included; the zero
	// value leaves them as the manifests have them.
	Isolation Isolation
	// Images maps names without tag, "hybrid.local/gateway", to the references
	// to run. What is in another registry than the pipeline's own name is pulled from it
	// where a node lacks it.
	Images map[string]string
	// Coverage tells which of the names are instrumented, each with the folder below
	// coverage.Path that its service delivers to; empty is plain mode.
	Coverage map[string]string
	// Courier is the image of package delivery's courier, which runs beside each
	// instrumented service and delivers its data; Receive is where it arrives. Empty lets
	// the services write to the nodes.
	Courier string
	// Timeout bounds the wait for one workload; zero is 2 minutes.
	Timeout time.Duration
}

// Deployer brings manifests into one cluster. Its methods may run at the same
// time.
type Deployer struct {
	o       Options
	typed   kubernetes.Interface
	dynamic dynamic.Interface
	mapper  meta.ResettableRESTMapper

	mu sync.Mutex
	// views are those in use, by namespace.
	views map[string]*sharedView
}

// New makes the clients; it talks to nobody yet.
func New(o Options) (*Deployer, error) {
	if o.Config == nil || o.Namespace == "" {
		return nil, errors.New("deploy: Config and Namespace are mandatory")
	}
	config := rest.CopyConfig(o.Config)
	config.QPS, config.Burst = clientQPS, clientBurst
	config.UserAgent = fieldManager
	config.WarningHandlerWithContext = warnings{}
	// One connection pool for all clients.
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection to the cluster: %w", err)
	}
	return newFromClient(o, config, client)
}

func newFromClient(o Options, config *rest.Config, client *http.Client) (*Deployer, error) {
	typed, err := kubernetes.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make the Kubernetes client: %w", err)
	}
	dyn, err := dynamic.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make the dynamic Kubernetes client: %w", err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(typed.Discovery()))
	return assemble(o, typed, dyn, mapper), nil
}

// assemble is where tests put their clients in.
func assemble(o Options, typed kubernetes.Interface, dyn dynamic.Interface, mapper meta.ResettableRESTMapper) *Deployer {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	o.Namespace = o.Isolation.Namespace(o.Namespace)
	return &Deployer{o: o, typed: typed, dynamic: dyn, mapper: mapper, views: map[string]*sharedView{}}
}

// kubectl is a command line for people, against the deployer's cluster.
func (d *Deployer) kubectl(args string) string {
	if d.o.Kubeconfig == "" {
		return "kubectl " + args
	}
	return "kubectl --kubeconfig " + d.o.Kubeconfig + " " + args
}

// discard makes a nil log usable.
func discard(log io.Writer) io.Writer {
	if log == nil {
		return io.Discard
	}
	return log
}
