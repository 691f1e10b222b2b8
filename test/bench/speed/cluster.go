package speed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kind "sigs.k8s.io/kind/pkg/cluster"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
)

// The parts of making a cluster.
const (
	partAPI = "API ready"
	partDNS = "DNS ready"
)

const (
	// clusterTimeout bounds the making of one cluster.
	clusterTimeout = 4 * time.Minute
	// takeAwayEvery paces what ends a call that does not know contexts.
	takeAwayEvery = 200 * time.Millisecond
)

// Cluster compares `kind create cluster` with the cluster phase, on the same node
// image: until the API is usable, and until names are resolved.
func Cluster(ctx context.Context) error {
	return run(ctx, "cluster", func(ctx context.Context, s *stage) error {
		c, err := Compare(ctx, "cluster", s.rounds, s.out, s.log, Side{Name: "kind create cluster", Run: s.plainCluster}, Side{Name: "cluster phase", Run: s.ourCluster})
		if err != nil {
			return err
		}
		return c.finish(s.dir, []Row{{Part: partAPI, Target: 16}, {Part: partDNS, Target: 18}}, s.out)
	})
}

// plainCluster is what the command does, and waits for DNS as its users do.
func (s *stage) plainCluster(ctx context.Context, log io.Writer) (Parts, error) {
	parts := Parts{}
	err := s.withPlain(ctx, log, nil, true, func(_ context.Context, began time.Time, api float64) error {
		parts[partAPI], parts[partDNS] = api, time.Since(began).Seconds()
		return nil
	})
	return parts, err
}

// withPlain makes a cluster as `kind create cluster --wait` does, waits for DNS if so
// told, hands the cluster to use, and deletes it.
func (s *stage) withPlain(ctx context.Context, log io.Writer, ports []v1alpha4.PortMapping, dns bool,
	use func(ctx context.Context, began time.Time, api float64) error,
) (err error) {
	name, kubeconfig := s.clusterName("plain"), s.plainKubeconfig()
	defer func() {
		err = errors.Join(err, s.deletePlain(), ignoreAbsent(os.Remove(kubeconfig)))
	}()
	began := time.Now()
	_, _ = fmt.Fprintf(log, "creating %s\n", name)
	if err := interruptible(ctx, func() error {
		return kind.NewProvider(kind.ProviderWithDocker()).Create(name, kind.CreateWithV1Alpha4Config(s.plainConfig(ports)),
			kind.CreateWithKubeconfigPath(kubeconfig), kind.CreateWithWaitForReady(clusterTimeout),
			kind.CreateWithDisplayUsage(false), kind.CreateWithDisplaySalutation(false))
	}, s.deletePlain); err != nil {
		return fmt.Errorf("kind create cluster: %w", err)
	}
	api := time.Since(began).Seconds()
	if dns {
		if err := awaitDNS(ctx, kubeconfig); err != nil {
			return err
		}
	}
	return use(ctx, began, api)
}

func (s *stage) plainKubeconfig() string { return filepath.Join(s.state, "plain-kubeconfig") }

// deletePlain deletes what there is of the cluster; none is no error.
func (s *stage) deletePlain() error {
	return kind.NewProvider(kind.ProviderWithDocker()).Delete(s.clusterName("plain"), s.plainKubeconfig())
}

// interruptible calls something of kind's, which knows no contexts. When ctx ends first,
// it takes away what the call works on, again and again because the call may be making
// it, until the call has failed on that.
func interruptible(ctx context.Context, call, takeAway func() error) error {
	var result error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result = call()
	}()
	select {
	case <-done:
		return result
	case <-ctx.Done():
	}
	tick := time.NewTicker(takeAwayEvery)
	defer tick.Stop()
	for {
		err := takeAway()
		select {
		case <-done:
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// plainConfig is a cluster of one node without anything that speeds it up.
func (s *stage) plainConfig(ports []v1alpha4.PortMapping) *v1alpha4.Cluster {
	config := &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{APIVersion: "kind.x-k8s.io/v1alpha4", Kind: "Cluster"},
		Nodes:    []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole, Image: s.node, ExtraPortMappings: ports}},
	}
	if s.failCgroupV1 {
		// Without this setting there would be no cluster at all.
		config.KubeadmConfigPatches = []string{"kind: KubeletConfiguration\nfailCgroupV1: false\n"}
		config.Networking.KubeProxyMode = v1alpha4.IPTablesProxyMode
	}
	return config
}

// awaitDNS watches until CoreDNS has all the replicas that it is to have.
func awaitDNS(ctx context.Context, kubeconfig string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, clusterTimeout, fmt.Errorf("CoreDNS is not ready within %s", clusterTimeout))
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	lw := cache.NewListWatchFromClient(client.AppsV1().RESTClient(), "deployments", metav1.NamespaceSystem,
		fields.OneTermEqualSelector(metav1.ObjectNameField, "coredns"))
	_, err = watchtools.UntilWithSync(ctx, lw, &appsv1.Deployment{}, nil, func(e watch.Event) (bool, error) {
		d, ok := e.Object.(*appsv1.Deployment)
		return ok && d.Status.AvailableReplicas > 0 && d.Status.AvailableReplicas == *d.Spec.Replicas, nil
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// ourCluster is the cluster phase, with all of its proofs.
func (s *stage) ourCluster(ctx context.Context, log io.Writer) (Parts, error) {
	parts := Parts{}
	err := s.withOurs(ctx, log, s.node, 0, func(_ context.Context, _ *cluster.Cluster, took Parts) error {
		parts = took
		return nil
	})
	return parts, err
}

// withOurs makes a cluster as the pipeline does, with workers nodes beside the control
// plane, hands it to use, and deletes it.
func (s *stage) withOurs(ctx context.Context, log io.Writer, node string, workers int,
	use func(context.Context, *cluster.Cluster, Parts) error,
) (err error) {
	began, marks := time.Now(), &marker{out: log}
	c, err := cluster.Ensure(ctx, cluster.Options{
		Config: cluster.Config{Name: s.clusterName("ours"), NodeImage: node, Workers: workers}, Engine: s.engine,
		Suite: "bench", Checkout: s.root, State: s.state, Leases: s.leases,
	}, marks)
	if c != nil {
		defer func() { err = errors.Join(err, c.Delete(ctx, log)) }()
	}
	if err != nil {
		return err
	}
	api := marks.since(began)
	return use(ctx, c, Parts{partAPI: api, partDNS: time.Since(began).Seconds()})
}

func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
