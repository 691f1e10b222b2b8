package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// Reach is how programs outside the cluster get to what an isolated run has deployed.
type Reach struct {
	// URLs are base URLs by the NodePort that the manifests ask for.
	URLs map[int32]string
	// Node is the address of a node, at which further NodePorts can be had.
	Node string
}

// Reach finds the Services of the manifests at the given paths in the cluster, whose
// ports were given by it: a Service of type LoadBalancer at the address that it got, which
// is awaited, every other one at a node that has pods of the run. The pods have to run.
func (d *Deployer) Reach(ctx context.Context, paths ...string) (Reach, error) {
	reach := Reach{URLs: map[int32]string{}}
	var err error
	if reach.Node, err = d.node(ctx); err != nil {
		return reach, err
	}
	for _, p := range paths {
		objects, err := Load(d.o.Root, p)
		if err != nil {
			return reach, err
		}
		for _, o := range objects {
			if o.GetKind() != "Service" {
				continue
			}
			wanted := &corev1.Service{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, wanted); err != nil {
				return reach, fmt.Errorf("%s: %w", o, err)
			}
			if err := d.reach(ctx, wanted, reach); err != nil {
				return reach, fmt.Errorf("find where %s is reached: %w", o, err)
			}
		}
	}
	return reach, nil
}

// reach adds the ports of one Service that have a number in its manifest.
func (d *Deployer) reach(ctx context.Context, wanted *corev1.Service, reach Reach) error {
	numbers := map[string]int32{}
	for _, p := range wanted.Spec.Ports {
		if p.NodePort != 0 {
			numbers[p.Name] = p.NodePort
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	namespace := d.o.Isolation.Namespace(cmp.Or(wanted.Namespace, d.o.Namespace))
	service, err := d.typed.CoreV1().Services(namespace).Get(ctx, wanted.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	host := reach.Node
	if service.Spec.Type == corev1.ServiceTypeLoadBalancer {
		if host, err = d.balancer(ctx, service); err != nil {
			return err
		}
	}
	for _, p := range service.Spec.Ports {
		number, ok := numbers[p.Name]
		if !ok {
			continue
		}
		port := p.NodePort
		if service.Spec.Type == corev1.ServiceTypeLoadBalancer {
			port = p.Port
		}
		if port == 0 {
			return fault.With(fmt.Errorf("port %q got no NodePort", p.Name), d.kubectl("--namespace "+namespace+" describe service "+service.Name))
		}
		reach.URLs[number] = "http://" + net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
	return nil
}

// node is the address of a node that has pods of the deployer's namespace.
func (d *Deployer) node(ctx context.Context) (string, error) {
	pods, err := d.typed.CoreV1().Pods(d.o.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("list the pods of %s: %w", d.o.Namespace, err)
	}
	for i := range pods.Items {
		if host := pods.Items[i].Status.HostIP; host != "" {
			return host, nil
		}
	}
	return "", fault.With(fmt.Errorf("no pod of %s runs on a node", d.o.Namespace), d.kubectl("--namespace "+d.o.Namespace+" get pods"))
}

// balancer waits for the address of a Service of type LoadBalancer.
func (d *Deployer) balancer(ctx context.Context, service *corev1.Service) (string, error) {
	client := d.typed.CoreV1().Services(service.Namespace)
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, service.Name).String()
	lw := narrowed(client.List, client.Watch, func(o *metav1.ListOptions) { o.FieldSelector = only })
	limited, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	host := ""
	_, err := watchtools.UntilWithSync(limited, cache.ToListWatcherWithWatchListSemantics(lw, d.typed), &corev1.Service{}, nil, func(e watch.Event) (bool, error) {
		if s, ok := e.Object.(*corev1.Service); ok {
			for _, given := range s.Status.LoadBalancer.Ingress {
				host = cmp.Or(given.IP, given.Hostname, host)
			}
		}
		return host != "", nil
	})
	if host == "" {
		return "", cause(ctx, fault.With(errors.Join(fmt.Errorf("no load balancer gave it an address within %s", d.o.Timeout), err),
			d.kubectl("--namespace "+service.Namespace+" describe service "+service.Name)))
	}
	return host, nil
}
