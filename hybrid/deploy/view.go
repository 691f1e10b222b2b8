package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// revisionAnnotation ties a Deployment to its newest ReplicaSet.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// view is a copy of a namespace's state that watches keep current.
type view struct {
	mu sync.Mutex
	// listeners get a value after something changed; several changes may be one.
	listeners map[chan struct{}]bool

	deployments appslisters.DeploymentLister
	pods        corelisters.PodLister
	// What belongs to something is looked up by that: all workloads look at a view with
	// every change, so that a search would take the square of their number.
	setsOf, podsOf, eventsOf, slicesOf cache.Indexer
}

// byOwner names the index.
const byOwner = "owner"

// owner gives the key under which an object is looked up: the UID of what controls it,
// that of what an event is about, the Service of endpoints.
func owner(object any) ([]string, error) {
	switch o := object.(type) {
	case *corev1.Event:
		return []string{string(o.InvolvedObject.UID)}, nil
	case *discoveryv1.EndpointSlice:
		return []string{o.Namespace + "/" + o.Labels[discoveryv1.LabelServiceName]}, nil
	case metav1.Object:
		if controller := metav1.GetControllerOf(o); controller != nil {
			return []string{string(controller.UID)}, nil
		}
	}
	return nil, nil
}

// owned are the objects with the key; their order is not fixed.
func owned[T any](indexer cache.Indexer, key string) []T {
	// The only error is that of an index which does not exist.
	found, _ := indexer.ByIndex(byOwner, key)
	objects := make([]T, 0, len(found))
	for _, f := range found {
		if object, ok := f.(T); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// watchNamespace starts the watches and waits for their first answer. They end
// with ctx; the function returned waits until they have. An empty namespace
// means all of them. Every state of a pod goes to onPod, from one goroutine,
// also those that are overtaken before anybody looks at the view; nil ignores
// them.
func watchNamespace(ctx context.Context, client kubernetes.Interface, namespace string, onPod func(*corev1.Pod)) (*view, func(), error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	v := &view{listeners: map[chan struct{}]bool{}}
	deployments, sets := factory.Apps().V1().Deployments(), factory.Apps().V1().ReplicaSets()
	pods, events := factory.Core().V1().Pods(), factory.Core().V1().Events()
	endpoints := factory.Discovery().V1().EndpointSlices()
	for _, informer := range []cache.SharedIndexInformer{
		deployments.Informer(), sets.Informer(), pods.Informer(), events.Informer(), endpoints.Informer(),
	} {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { v.seen(o, onPod) },
			UpdateFunc: func(_, o any) { v.seen(o, onPod) },
			DeleteFunc: func(o any) { v.seen(o, onPod) },
		})
		if err = errors.Join(err, informer.AddIndexers(cache.Indexers{byOwner: owner})); err != nil {
			return nil, factory.Shutdown, fmt.Errorf("watch namespace %s: %w", namespace, err)
		}
	}
	v.deployments, v.pods = deployments.Lister(), pods.Lister()
	v.setsOf, v.podsOf = sets.Informer().GetIndexer(), pods.Informer().GetIndexer()
	v.eventsOf, v.slicesOf = events.Informer().GetIndexer(), endpoints.Informer().GetIndexer()
	factory.StartWithContext(ctx)
	if result := factory.WaitForCacheSyncWithContext(ctx); result.Err != nil {
		return nil, factory.Shutdown, fmt.Errorf("watch namespace %s: the API server gave no first answer: %w", namespace, result.Err)
	}
	return v, factory.Shutdown, nil
}

func (v *view) seen(object any, onPod func(*corev1.Pod)) {
	if pod, ok := object.(*corev1.Pod); ok && onPod != nil {
		onPod(pod)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for listener := range v.listeners {
		select {
		case listener <- struct{}{}:
		default:
		}
	}
}

// listen tells of changes from now on, until the function returned is called. Whoever
// listens first and looks then misses none.
func (v *view) listen() (changed <-chan struct{}, end func()) {
	listener := make(chan struct{}, 1)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.listeners[listener] = true
	return listener, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.listeners, listener)
	}
}

// deployment gives nil when there is none.
func (v *view) deployment(namespace, name string) *appsv1.Deployment {
	d, err := v.deployments.Deployments(namespace).Get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return d
}

// current lists the pods of the Deployment's newest revision, sorted by name.
// Pods that an older revision left, or that are on their way out, say nothing
// about what was just deployed.
func (v *view) current(d *appsv1.Deployment) []*corev1.Pod {
	var newest *appsv1.ReplicaSet
	for _, s := range owned[*appsv1.ReplicaSet](v.setsOf, string(d.UID)) {
		if s.Annotations[revisionAnnotation] == d.Annotations[revisionAnnotation] {
			newest = s
		}
	}
	if newest == nil {
		return nil
	}
	return sortedPods(owned[*corev1.Pod](v.podsOf, string(newest.UID)), func(p *corev1.Pod) bool { return p.DeletionTimestamp == nil })
}

// selected lists the pods that a selector matches, sorted by name; those on
// their way out count.
func (v *view) selected(namespace string, selector labels.Selector) []*corev1.Pod {
	all, _ := v.pods.Pods(namespace).List(selector)
	return sortedPods(all, func(*corev1.Pod) bool { return true })
}

func sortedPods(pods []*corev1.Pod, keep func(*corev1.Pod) bool) []*corev1.Pod {
	var kept []*corev1.Pod
	for _, p := range pods {
		if keep(p) {
			kept = append(kept, p)
		}
	}
	slices.SortFunc(kept, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return kept
}

// readyEndpoints counts the ready addresses of a Service, those of pods that
// are ending left out.
func (v *view) readyEndpoints(namespace, service string) int {
	count := 0
	for _, slice := range owned[*discoveryv1.EndpointSlice](v.slicesOf, namespace+"/"+service) {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
				pod, err := v.pods.Pods(namespace).Get(e.TargetRef.Name)
				if err != nil || pod.DeletionTimestamp != nil {
					continue
				}
			}
			count += len(e.Addresses)
		}
	}
	return count
}

// failures are the newest messages about what goes wrong with a pod.
func (v *view) failures(pod *corev1.Pod) failures {
	return failures{mount: v.newest(pod, "FailedMount"), probe: v.newest(pod, "Unhealthy")}
}

// newest is the newest message about a pod with the reason; empty when there is none.
func (v *view) newest(pod *corev1.Pod, reason string) string {
	var newest *corev1.Event
	for _, e := range owned[*corev1.Event](v.eventsOf, string(pod.UID)) {
		if e.Reason != reason {
			continue
		}
		if newest == nil || newest.LastTimestamp.Before(&e.LastTimestamp) {
			newest = e
		}
	}
	if newest == nil {
		return ""
	}
	return newest.Message
}
