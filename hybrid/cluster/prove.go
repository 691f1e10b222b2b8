package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

const (
	dnsNamespace = "kube-system"
	dnsName      = "coredns"
	apiHost      = "kubernetes.default.svc.cluster.local."
	// retryEvery paces the proofs over the network, where nothing can be
	// watched: rules appear some milliseconds after the object does.
	retryEvery = 100 * time.Millisecond
)

// CoreDNS waits until the service rules are in place: its first connection to
// the API server, made before them, would hang for the 30 s of client-go's dial
// timeout (measured in three of nine clusters). It gets a probe every second
// instead of every ten, which shows it ready up to 9 s earlier.
const dnsHold = `{"spec":{"replicas":0,"template":{"spec":{"containers":[{"name":"coredns",
"readinessProbe":{"periodSeconds":1,"initialDelaySeconds":0}}]}}}}`

// One replica serves a cluster that lives for minutes.
const dnsRelease = `{"spec":{"replicas":1}}`

// step is one proof.
type step struct {
	name string
	run  func(context.Context, kubernetes.Interface) error
}

// prove shows that a new cluster works: every node Ready, service rules on every
// node, CoreDNS answering, the default service account made, a NodePort reached
// from the host and the DNS service's ClusterIP from the nodes. A cluster can be
// Ready with dead service rules, so Ready alone proves nothing.
func (c *Cluster) prove(ctx context.Context, out io.Writer) error {
	return c.take(ctx, out,
		step{"service rules on the nodes", c.reach(apiAnswers())},
		step{"CoreDNS let go", c.releaseDNS},
		step{"nodes Ready", c.nodesReady},
		step{"default service account", serviceAccount},
		step{"CoreDNS ready", dnsReady},
		step{"DNS by a NodePort from the host and by the ClusterIP from the nodes", c.dnsReached},
	)
}

// check shows that a cluster proven by an earlier run still works, changing
// nothing in it.
func (c *Cluster) check(ctx context.Context, out io.Writer) error {
	return c.take(ctx, out,
		step{"nodes Ready", c.nodesReady},
		step{"CoreDNS ready", dnsReady},
		step{"the DNS ClusterIP from the nodes", c.reach(dnsAnswers())},
	)
}

// take takes the steps in order within proveTimeout.
func (c *Cluster) take(ctx context.Context, out io.Writer, steps ...step) error {
	ctx, cancel := context.WithTimeoutCause(ctx, proveTimeout, fmt.Errorf("not proven within %s", proveTimeout))
	defer cancel()
	client, err := kubernetes.NewForConfig(c.REST)
	if err != nil {
		return err
	}
	start := time.Now()
	for _, s := range steps {
		if err := s.run(ctx, client); err != nil {
			if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
				err = fmt.Errorf("%w (%w)", err, cause)
			}
			return fmt.Errorf("%s: %w", s.name, err)
		}
		_, _ = fmt.Fprintf(out, "proven after %.1f s: %s\n", time.Since(start).Seconds(), s.name)
	}
	return nil
}

// holdDNS holds CoreDNS back as soon as kubeadm has made it.
func holdDNS(ctx context.Context, client kubernetes.Interface) error {
	lw := cache.NewListWatchFromClient(client.AppsV1().RESTClient(), "deployments", dnsNamespace, fields.OneTermEqualSelector("metadata.name", dnsName))
	err := until(ctx, lw, &appsv1.Deployment{}, func(watch.Event) (bool, error) { return true, nil })
	if err == nil {
		err = patchDNS(ctx, client, dnsHold)
	}
	if err != nil {
		return fmt.Errorf("hold CoreDNS back: %w", err)
	}
	return nil
}

func patchDNS(ctx context.Context, client kubernetes.Interface, patch string) error {
	_, err := client.AppsV1().Deployments(dnsNamespace).Patch(ctx, dnsName, types.StrategicMergePatchType,
		[]byte(patch), metav1.PatchOptions{FieldManager: "hybrid"})
	return err
}

// until watches the objects that lw lists until done holds for one of them.
func until(ctx context.Context, lw cache.ListerWatcher, object runtime.Object, done watchtools.ConditionFunc) error {
	_, err := watchtools.UntilWithSync(ctx, lw, object, nil, done)
	return err
}

func (c *Cluster) nodesReady(ctx context.Context, client kubernetes.Interface) error {
	missing := map[string]bool{}
	for i := range 1 + c.record.Config.Workers {
		missing[nodeName(c.record.Config.Name, i)] = true
	}
	lw := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "nodes", "", fields.Everything())
	return until(ctx, lw, &corev1.Node{}, func(e watch.Event) (bool, error) {
		node, ok := e.Object.(*corev1.Node)
		if !ok {
			return false, nil
		}
		if slices.ContainsFunc(node.Status.Conditions, func(x corev1.NodeCondition) bool {
			return x.Type == corev1.NodeReady && x.Status == corev1.ConditionTrue
		}) {
			delete(missing, node.Name)
		}
		return len(missing) == 0, nil
	})
}

// firstNode is how the name of the node with the control plane ends.
const firstNode = "-" + controlPlane

// nodeName is how kind names node i of a cluster.
func nodeName(cluster string, i int) string {
	switch i {
	case 0:
		return cluster + firstNode
	case 1:
		return cluster + "-worker"
	}
	return cluster + "-worker" + strconv.Itoa(i)
}

func serviceAccount(ctx context.Context, client kubernetes.Interface) error {
	lw := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "serviceaccounts", "default", fields.OneTermEqualSelector("metadata.name", "default"))
	return until(ctx, lw, &corev1.ServiceAccount{}, func(watch.Event) (bool, error) { return true, nil })
}

func dnsReady(ctx context.Context, client kubernetes.Interface) error {
	lw := cache.NewListWatchFromClient(client.AppsV1().RESTClient(), "deployments", dnsNamespace, fields.OneTermEqualSelector("metadata.name", dnsName))
	return until(ctx, lw, &appsv1.Deployment{}, func(e watch.Event) (bool, error) {
		d, ok := e.Object.(*appsv1.Deployment)
		return ok && d.Status.ObservedGeneration >= d.Generation && d.Status.AvailableReplicas >= 1 && d.Status.UnavailableReplicas == 0, nil
	})
}

// proofService opens CoreDNS under the first mapped NodePort for a moment.
const proofService = "hybrid-proof"

// releaseDNS lets CoreDNS start, and opens it under the first mapped NodePort already:
// kube-proxy then makes the rules of both services at once.
func (c *Cluster) releaseDNS(ctx context.Context, client kubernetes.Interface) error {
	if err := patchDNS(ctx, client, dnsRelease); err != nil || len(c.Ports()) == 0 {
		return err
	}
	_, err := client.CoreV1().Services(dnsNamespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: proofService},
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeNodePort,
			Selector: map[string]string{"k8s-app": "kube-dns"},
			Ports: []corev1.ServicePort{{
				Name: "dns-tcp", Port: 53, TargetPort: intstr.FromInt32(53), NodePort: c.Ports()[0].Node, Protocol: corev1.ProtocolTCP,
			}},
		},
	}, metav1.CreateOptions{FieldManager: "hybrid"})
	return err
}

// dnsReached asks CoreDNS on both ways at the same time.
func (c *Cluster) dnsReached(ctx context.Context, client kubernetes.Interface) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.nodePort(ctx, client) })
	g.Go(func() error { return c.reach(dnsAnswers())(ctx, client) })
	return g.Wait()
}

// nodePort asks CoreDNS under its NodePort from the host for the API server's name: the
// answer proves DNS, service rules and the port mapping at once. The NodePort is
// closed then.
func (c *Cluster) nodePort(ctx context.Context, client kubernetes.Interface) error {
	if len(c.Ports()) == 0 {
		return nil
	}
	api, err := client.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(c.Ports()[0].Host)))
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp4", address)
	}}
	err = retry(ctx, func(ctx context.Context) error {
		ips, err := resolver.LookupHost(ctx, apiHost)
		if err != nil {
			return err
		}
		if !slices.Contains(ips, api.Spec.ClusterIP) {
			return fmt.Errorf("%s resolved to %v, want %s", apiHost, ips, api.Spec.ClusterIP)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("a NodePort from the host: %w", err)
	}
	return client.CoreV1().Services(dnsNamespace).Delete(ctx, proofService, metav1.DeleteOptions{})
}

// ask is run by bash, which every node image has: it sends plain HTTP requests to $0:$1
// for path $2, until an answer contains $3. Each may take a second, all of them about
// four: the engine's client cannot end what it has started on a node, and starting it is
// dear, so that one call asks several times.
const ask = `while :; do
  answer=$(timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET %s HTTP/1.0\r\n\r\n" "$2" >&3 && cat <&3' "$0" "$1" "$2" 2>&1)
  [[ $answer == *"$3"* ]] && exit
  ((SECONDS < 3)) || break
  sleep 0.2
done
printf 'no or another answer: %s' "${answer:0:80}" >&2
exit 1`

// answer is one question to a service over its ClusterIP.
type answer struct {
	namespace, service string
	port               int
	path               string
	// contains is what only the right server says: a connection alone proves
	// nothing where the network accepts them for any address.
	contains string
}

// apiAnswers asks the API server, which speaks TLS only and says so to whom does
// not.
func apiAnswers() answer {
	return answer{"default", "kubernetes", 443, "/", "Client sent an HTTP request to an HTTPS server"}
}

// dnsAnswers asks CoreDNS by the service that pods ask for names.
func dnsAnswers() answer {
	return answer{dnsNamespace, "kube-dns", 9153, "/metrics", "coredns_build_info"}
}

// reach puts the question from every node, whose answer comes only when the
// service rules lead to the right pod.
func (c *Cluster) reach(a answer) func(context.Context, kubernetes.Interface) error {
	return func(ctx context.Context, client kubernetes.Interface) error {
		service, err := client.CoreV1().Services(a.namespace).Get(ctx, a.service, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for i := range 1 + c.record.Config.Workers {
			node := nodeName(c.record.Config.Name, i)
			err := retry(ctx, func(ctx context.Context) error {
				_, err := c.engine.Run(ctx, nil, "exec", node, "bash", "-c", ask,
					service.Spec.ClusterIP, strconv.Itoa(a.port), a.path, a.contains)
				return err
			})
			if err != nil {
				return fmt.Errorf("%s:%d from node %s: %w", service.Spec.ClusterIP, a.port, node, err)
			}
		}
		return nil
	}
}

// retry calls try until it succeeds or ctx ends; the last error is returned.
func retry(ctx context.Context, try func(context.Context) error) error {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	// The error of an attempt that was cut off says less than the one before.
	var last error
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := try(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			if last != nil {
				return last
			}
			return err
		case <-tick.C:
			last = err
		}
	}
}
