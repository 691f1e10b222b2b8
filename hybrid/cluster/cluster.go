package cluster

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/process"
)

// Timeouts of the cluster phase. Creation takes about 20 s on two idle cores;
// the bounds are for a machine that is ten times slower.
const (
	createTimeout = 4 * time.Minute
	proveTimeout  = 2 * time.Minute
	deleteTimeout = time.Minute
)

// Started begins the line of Ensure's output that says that the API may be used, before
// anything is proven.
const Started = "Kubernetes started"

// DefaultTTL is how long a kept cluster is left alone after its last use: until the
// next morning, but not until the next week.
const DefaultTTL = 12 * time.Hour

// Options say which cluster is wanted.
type Options struct {
	Config Config
	Engine *engine.Engine
	// Suite is whose cluster it is, Checkout the absolute path of the repository.
	Suite, Checkout string
	// State is the absolute path of the folder for the record and the kubeconfig.
	State string
	// Leases is where the cluster's lease is kept; the zero value keeps none.
	Leases Leases
	// Keep lets the cluster outlive the run.
	Keep bool
	// TTL is how long a kept cluster is left alone after its last use; zero means
	// DefaultTTL.
	TTL time.Duration
	// FixedPorts maps every NodePort to the same port of the host instead of a
	// free one.
	FixedPorts bool
}

// Cluster is a running cluster: one of Kind's, or one that Adopt gave.
type Cluster struct {
	// Kubeconfig is the absolute path of the cluster's own kubeconfig.
	Kubeconfig string
	// REST is the client configuration read from it.
	REST *rest.Config
	// Reused says that an earlier run made the cluster.
	Reused bool
	// Difference says why an existing cluster was not reused; empty when there
	// was none or it was.
	Difference string

	engine *engine.Engine
	leases Leases
	ttl    time.Duration
	record Record
	// since is when the run began with the cluster: what happened to nodes before is of
	// no concern.
	since time.Time
	// creating is closed when kind has ended; nil when it never began.
	creating chan struct{}
	// adopted says that somebody else made the cluster: its nodes are none of ours.
	adopted bool
}

// Ensure returns a proven cluster of the wanted configuration: the recorded one
// when it is equal, kept and healthy, else a new one. When it fails, what it
// made still stands, so that evidence can be taken; the Cluster returned beside
// the error serves for that and for Delete. It is nil when nothing was made.
func Ensure(ctx context.Context, o Options, out io.Writer) (*Cluster, error) {
	// What watches say when they end would land on the terminal.
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(slog.NewTextHandler(out, nil)))
	c := &Cluster{
		Kubeconfig: filepath.Join(o.State, "kubeconfig"),
		engine:     o.Engine,
		leases:     o.Leases,
		ttl:        cmp.Or(o.TTL, DefaultTTL),
		since:      time.Now(),
	}
	if err := os.MkdirAll(o.State, 0o755); err != nil {
		return nil, fmt.Errorf("create the cluster's folder: %w", err)
	}
	inventory := Inventory{Checkout: o.Checkout, Leases: o.Leases, Runner: o.Engine.Runner, Now: time.Now}
	old, err := inventory.find(o.Config.Name, o.State)
	if err != nil {
		return nil, err
	}
	if old != nil {
		if c.Difference = c.tryReuse(ctx, *old, o, out); c.Difference == "" {
			if err := c.Used(); err != nil {
				return nil, err
			}
			return c, nil
		}
		fmt.Fprintf(out, "the existing cluster %s is not reused: %s\n", old.Config.Name, c.Difference)
		if _, err := inventory.remove(ctx, *old, out); err != nil {
			return nil, err
		}
	}
	if err := c.claim(ctx, o); err != nil {
		return nil, err
	}
	err = c.fresh(ctx, out)
	if o.FixedPorts || !portTaken(err) {
		return c, err
	}
	fmt.Fprintf(out, "once more, with other ports: %v\n", err)
	if _, err := inventory.remove(ctx, c.record, out); err != nil {
		return c, err
	}
	if err := c.claim(ctx, o); err != nil {
		return c, err
	}
	return c, c.fresh(ctx, out)
}

// tryReuse adopts the recorded cluster, or tells what speaks against it.
func (c *Cluster) tryReuse(ctx context.Context, old Record, o Options, out io.Writer) string {
	switch {
	case !old.Ready || !old.Keep:
		return "it was left by a run that did not end"
	case old.Engine != o.Engine.Kind:
		return fmt.Sprintf("it runs on %s, wanted is %s", old.Engine, o.Engine.Kind)
	case !old.Config.equal(o.Config):
		return "its configuration differs: " + difference(old.Config, o.Config)
	}
	ours, foreign, err := containersOf(ctx, o.Engine, old)
	switch {
	case err != nil:
		return err.Error()
	case len(ours) != 1+old.Config.Workers:
		return fmt.Sprintf("it has %d of its %d nodes", len(ours), 1+old.Config.Workers)
	case len(foreign) > 0:
		return "somebody else made nodes of its name"
	}
	c.record = old
	// Earlier versions recorded less.
	c.record.Suite, c.record.Nodes = o.Suite, nodesOf(ours)
	if err := c.connect(); err != nil {
		return err.Error()
	}
	if err := c.check(ctx, out); err != nil {
		return "it is not healthy: " + err.Error()
	}
	c.Reused = true
	return ""
}

func difference(have, want Config) string {
	var diffs []string
	add := func(what string, a, b any) {
		if fmt.Sprint(a) != fmt.Sprint(b) {
			diffs = append(diffs, fmt.Sprintf("%s %v, wanted %v", what, a, b))
		}
	}
	add("name", have.Name, want.Name)
	add("node image", have.NodeImage, want.NodeImage)
	add("workers", have.Workers, want.Workers)
	add("coverage folder", have.CoverData, want.CoverData)
	ports := func(c Config) (list []string) {
		for _, p := range c.Ports {
			list = append(list, fmt.Sprintf("%s:%d", p.Name, p.Node))
		}
		return list
	}
	add("ports", ports(have), ports(want))
	return strings.Join(diffs, "; ")
}

// claim chooses the ports and writes the record. It comes before anything exists,
// so that whatever happens the next run knows what to remove; a claim that fails
// leaves nothing that could be taken for ours.
func (c *Cluster) claim(ctx context.Context, o Options) error {
	ports, apiServer, err := choosePorts(ctx, o.Config.Ports, o.FixedPorts)
	if err != nil {
		return err
	}
	c.record = Record{
		Config: o.Config, Suite: o.Suite, Checkout: o.Checkout, State: o.State, Engine: o.Engine.Kind,
		Started: time.Now().UTC(), Keep: o.Keep,
	}
	c.record.Config.Ports, c.record.Config.APIServer = ports, apiServer
	if err := c.refuseForeign(ctx); err != nil {
		return err
	}
	return c.Used()
}

// fresh creates the claimed cluster and proves that it works. The events of an earlier
// one of the same name do not count.
func (c *Cluster) fresh(ctx context.Context, out io.Writer) error {
	c.since = time.Now()
	ctx, stop := c.watch(ctx, c.watchContainers)
	defer stop()
	err := c.freshWatched(ctx, out)
	if cause := context.Cause(ctx); err != nil && Lost(cause) {
		// What failed then failed because of that.
		return fmt.Errorf("create cluster %s: %w", c.Name(), cause)
	}
	return err
}

func (c *Cluster) freshWatched(ctx context.Context, out io.Writer) error {
	creating, cancel := context.WithTimeoutCause(ctx, createTimeout, fmt.Errorf("it did not start within %s", createTimeout))
	defer cancel()
	if err := c.makeNodes(creating, out); err != nil {
		return fault.With(fmt.Errorf("create cluster %s: %w", c.Name(), err), "mage doctor")
	}
	g, gctx := errgroup.WithContext(creating)
	g.Go(func() error { return c.recordNodes(gctx) })
	g.Go(func() error { return c.start(gctx, out) })
	if err := g.Wait(); err != nil {
		return fault.With(fmt.Errorf("create cluster %s: %w", c.Name(), err), "mage doctor")
	}
	fmt.Fprintf(out, "%s after %.1f s\n", Started, time.Since(c.since).Seconds())
	if err := c.prove(ctx, out); err != nil {
		return fault.With(fmt.Errorf("cluster %s does not work: %w", c.Name(), err), "mage doctor")
	}
	c.record.Ready = true
	return c.Used()
}

// recordNodes notes which containers the cluster consists of, so that no other is ever
// taken for one of them.
func (c *Cluster) recordNodes(ctx context.Context) error {
	ours, _, err := containersOf(ctx, c.engine, c.record)
	if err != nil {
		return err
	}
	if len(ours) != 1+c.record.Config.Workers {
		return fmt.Errorf("cluster %s has %d nodes after its creation, wanted %d", c.Name(), len(ours), 1+c.record.Config.Workers)
	}
	c.record.Nodes = nodesOf(ours)
	return c.Used()
}

func nodesOf(containers []engine.Container) []Node {
	nodes := make([]Node, len(containers))
	for i, x := range containers {
		nodes[i] = Node{Name: x.Name, ID: x.ID}
	}
	return nodes
}

// refuseForeign stops before kind would: nodes of this name without a record of
// ours belong to somebody else.
func (c *Cluster) refuseForeign(ctx context.Context) error {
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return err
	}
	if len(nodes) > 0 {
		return fault.With(fmt.Errorf("a cluster named %s exists that this checkout did not make: %s", c.record.Config.Name, strings.Join(nodes, ", ")),
			"KIND_EXPERIMENTAL_PROVIDER="+c.engine.Kind+" kind delete cluster --name "+c.record.Config.Name)
	}
	return nil
}

func (c *Cluster) connect() error {
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err == nil {
		c.REST, err = restConfig(config)
	}
	if err != nil {
		return fmt.Errorf("read the cluster's kubeconfig: %w", err)
	}
	return nil
}

// restConfig is how clients reach what the kubeconfig's current context names.
func restConfig(kubeconfig *clientcmdapi.Config) (*rest.Config, error) {
	config, err := clientcmd.NewDefaultClientConfig(*kubeconfig, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 200, 400
	return config, nil
}

// Name is the cluster's exact name.
func (c *Cluster) Name() string { return c.record.Config.Name }

// Ports are the mappings with the host ports in use.
func (c *Cluster) Ports() []Port { return c.record.Config.Ports }

// Kept tells whether the cluster is meant to outlive the run.
func (c *Cluster) Kept() bool { return c.record.Keep }

// Expires is when a kept cluster may be removed by anybody; zero for one that ends
// with its run.
func (c *Cluster) Expires() time.Time { return c.record.Expires }

// Keep makes the cluster outlive the run from now on.
func (c *Cluster) Keep() error {
	c.record.Keep = true
	return c.Used()
}

// Used records that this process uses the cluster, and for how long it is to be left
// alone after that.
func (c *Cluster) Used() error {
	c.record.Owner, c.record.LastUsed, c.record.Expires = process.Self(), time.Now().UTC(), time.Time{}
	if c.record.Keep {
		c.record.Expires = c.record.LastUsed.Add(c.ttl)
	}
	return c.record.save(c.leases)
}

// Nodes lists the names of the cluster's node containers; none of one that was adopted.
// The engine is asked only while the cluster is being made.
func (c *Cluster) Nodes(ctx context.Context) ([]string, error) {
	if c.adopted {
		return nil, nil
	}
	if len(c.record.Nodes) > 0 {
		names := make([]string, len(c.record.Nodes))
		for i, n := range c.record.Nodes {
			names[i] = n.Name
		}
		return names, nil
	}
	containers, err := c.engine.Containers(ctx, clusterLabel+"="+c.Name())
	if err != nil {
		return nil, fmt.Errorf("list the nodes of %s: %w", c.Name(), err)
	}
	names := make([]string, len(containers))
	for i, x := range containers {
		names[i] = x.Name
	}
	return names, nil
}

// Delete removes the cluster, its kubeconfig, its record and its lease. It works on a
// context of its own, because it mostly runs when the run's has ended. Of one that was
// adopted it removes the run's kubeconfig alone.
func (c *Cluster) Delete(ctx context.Context, out io.Writer) error {
	if c.adopted {
		return os.Remove(c.Kubeconfig)
	}
	return remove(ctx, c.engine, c.record, c.leases, c.creating, out)
}
