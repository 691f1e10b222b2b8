package testbed

import (
	"context"
	"fmt"
	"maps"
	"net"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// Elsewhere returns the bed for another namespace of the same cluster, with endpoints
// of its own to be changed.
func (b *Bed) Elsewhere(namespace string) *Bed {
	other := *b
	other.Env.Namespace = namespace
	other.Env.Endpoints = maps.Clone(b.Env.Endpoints)
	return &other
}

// Open lets the host reach a named port of the pods of a workload in the namespace of
// b: those that are ready, or all. The spare endpoint becomes the endpoint of that name, or
// where nodes are reached at their own address, the port that the cluster gives.
func (b *Bed) Open(ctx context.Context, workload, port, endpoint string, spare hybrid.Endpoint, unready bool) {
	GinkgoHelper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.Env.Namespace, Name: workload + "-" + port + "-spare"},
		Spec: corev1.ServiceSpec{
			Type:                     corev1.ServiceTypeNodePort,
			Selector:                 map[string]string{nameLabel: workload},
			Ports:                    []corev1.ServicePort{{Name: port, Port: 80, TargetPort: intstr.FromString(port), NodePort: spare.NodePort}},
			PublishNotReadyAddresses: unready,
		},
	}
	if b.Env.Node != "" {
		service.Spec.Ports[0].NodePort = 0
	}
	Expect(b.Kube.Create(ctx, service)).To(Succeed())
	b.Env.Endpoints[endpoint] = b.Env.Endpoints[spare.Name]
	if b.Env.Node != "" {
		b.Env.Endpoints[endpoint] = "http://" + net.JoinHostPort(b.Env.Node, strconv.Itoa(int(service.Spec.Ports[0].NodePort)))
	}
	// The port is free for another run of the spec at once, not when the namespace
	// has gone at last.
	DeferCleanup(func(ctx context.Context) { Expect(b.Kube.Delete(ctx, service)).To(Succeed()) })
}

// Change is what a copy has different from the original.
type Change struct {
	// Deployment may change the copy before it is created.
	Deployment func(*appsv1.Deployment)
	// Config may change the data of each ConfigMap.
	Config func(map[string]string)
}

// Copy creates a deployed workload of b in the namespace of to, with all that its
// pods mount, their ServiceAccount without its rights, and the Service under which
// others find it.
func (b *Bed) Copy(ctx context.Context, to *Bed, name string, change Change) {
	GinkgoHelper()
	key := client.ObjectKey{Namespace: b.Env.Namespace, Name: name}
	deployed, service := &appsv1.Deployment{}, &corev1.Service{}
	Expect(b.Kube.Get(ctx, key, deployed)).To(Succeed())
	Expect(b.Kube.Get(ctx, key, service)).To(Succeed())
	namespace := to.Env.Namespace
	if account := deployed.Spec.Template.Spec.ServiceAccountName; account != "" {
		Expect(b.Kube.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}})).To(Succeed())
	}
	b.copyVolumes(ctx, namespace, deployed.Spec.Template.Spec.Volumes, change.Config)
	ports := make([]corev1.ServicePort, len(service.Spec.Ports))
	for i, p := range service.Spec.Ports {
		ports[i] = corev1.ServicePort{Name: p.Name, Port: p.Port, TargetPort: p.TargetPort, Protocol: p.Protocol}
	}
	Expect(b.Kube.Create(ctx, &corev1.Service{
		ObjectMeta: moved(service, namespace), Spec: corev1.ServiceSpec{Selector: service.Spec.Selector, Ports: ports},
	})).To(Succeed())
	duplicate := &appsv1.Deployment{ObjectMeta: moved(deployed, namespace), Spec: *deployed.Spec.DeepCopy()}
	unreserved(duplicate)
	if change.Deployment != nil {
		change.Deployment(duplicate)
	}
	Expect(b.Kube.Create(ctx, duplicate)).To(Succeed())
	// Its pods stop at once; the namespace stays until the end of the suite.
	DeferCleanup(func(ctx context.Context) { Expect(b.Kube.Delete(ctx, duplicate)).To(Succeed()) })
}

// unreserved drops what the containers reserve. The scheduler keeps a pod waiting
// that no node has the reserved processors left for, and a small node would have
// them for a few copies only: specs would wait for the end of other specs.
func unreserved(d *appsv1.Deployment) {
	for i := range d.Spec.Template.Spec.Containers {
		d.Spec.Template.Spec.Containers[i].Resources.Requests = corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("1Mi"),
		}
	}
}

func (b *Bed) copyVolumes(ctx context.Context, namespace string, volumes []corev1.Volume, change func(map[string]string)) {
	GinkgoHelper()
	for _, volume := range volumes {
		switch {
		case volume.ConfigMap != nil:
			original := &corev1.ConfigMap{}
			Expect(b.Kube.Get(ctx, client.ObjectKey{Namespace: b.Env.Namespace, Name: volume.ConfigMap.Name}, original)).To(Succeed())
			data := maps.Clone(original.Data)
			if change != nil {
				change(data)
			}
			Expect(b.Kube.Create(ctx, &corev1.ConfigMap{ObjectMeta: moved(original, namespace), Data: data})).To(Succeed())
		case volume.Secret != nil:
			original := &corev1.Secret{}
			Expect(b.Kube.Get(ctx, client.ObjectKey{Namespace: b.Env.Namespace, Name: volume.Secret.SecretName}, original)).To(Succeed())
			err := b.Kube.Create(ctx, &corev1.Secret{ObjectMeta: moved(original, namespace), Data: original.Data})
			// A store and its client mount the same one.
			Expect(client.IgnoreAlreadyExists(err)).To(Succeed())
		}
	}
}

// Link lets pods in the namespace of to find a deployed workload of b under its name,
// as if it were there.
func (b *Bed) Link(ctx context.Context, to *Bed, workload string) {
	GinkgoHelper()
	Expect(b.Kube.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: to.Env.Namespace, Name: workload},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: workload + "." + b.Env.Namespace + ".svc.cluster.local",
		},
	})).To(Succeed())
}

// moved is the metadata of a copy.
func moved(original client.Object, namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: original.GetName(), Labels: original.GetLabels()}
}

// Patch merges a JSON patch into the Deployment of a workload.
func (b *Bed) Patch(ctx context.Context, workload, patch string) {
	GinkgoHelper()
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: b.Env.Namespace, Name: workload}}
	Expect(b.Kube.Patch(ctx, deployment, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
}

// Scale sets the replicas of a workload and waits until exactly that many pods are
// left, all of them ready.
func (b *Bed) Scale(ctx context.Context, workload string, replicas int) {
	GinkgoHelper()
	b.Patch(ctx, workload, fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
	b.AwaitReady(ctx, workload, replicas)
}

// AwaitReady waits until a workload has exactly that many pods, all of them ready.
func (b *Bed) AwaitReady(ctx context.Context, workload string, replicas int) {
	GinkgoHelper()
	Expect(b.awaitPods(ctx, workload, func(pods []corev1.Pod) error {
		names, err := readyNames(pods)
		if err == nil && len(names) != replicas {
			err = fmt.Errorf("%d pods are there, want %d: %v", len(names), replicas, names)
		}
		return err
	})).To(Succeed(), "ready pods of "+workload)
}
