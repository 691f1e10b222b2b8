package deploy

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// revisionAnnotation ties a Deployment to its newest ReplicaSet.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// view is a copy of a namespace's state that watches keep current.
type view struct {
	// changed gets a value after something changed; several changes may be one.
	changed chan struct{}

	deployments appslisters.DeploymentLister
	replicaSets appslisters.ReplicaSetLister
	pods        corelisters.PodLister
	events      corelisters.EventLister
	slices      discoverylisters.EndpointSliceLister
}

// watchNamespace starts the watches and waits for their first answer. They end
// with ctx; the function returned waits until they have. An empty namespace
// means all of them. Every state of a pod goes to onPod, from one goroutine,
// also those that are overtaken before anybody looks at the view; nil ignores
// them.
func watchNamespace(ctx context.Context, client kubernetes.Interface, namespace string, onPod func(*corev1.Pod)) (*view, func(), error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	v := &view{
		changed:     make(chan struct{}, 1),
		deployments: factory.Apps().V1().Deployments().Lister(),
		replicaSets: factory.Apps().V1().ReplicaSets().Lister(),
		pods:        factory.Core().V1().Pods().Lister(),
		events:      factory.Core().V1().Events().Lister(),
		slices:      factory.Discovery().V1().EndpointSlices().Lister(),
	}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Apps().V1().Deployments().Informer(),
		factory.Apps().V1().ReplicaSets().Informer(),
		factory.Core().V1().Pods().Informer(),
		factory.Core().V1().Events().Informer(),
		factory.Discovery().V1().EndpointSlices().Informer(),
	} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { v.seen(o, onPod) },
			UpdateFunc: func(_, o any) { v.seen(o, onPod) },
			DeleteFunc: func(o any) { v.seen(o, onPod) },
		}); err != nil {
			return nil, factory.Shutdown, fmt.Errorf("watch namespace %s: %w", namespace, err)
		}
	}
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
	select {
	case v.changed <- struct{}{}:
	default:
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
	sets, _ := v.replicaSets.ReplicaSets(d.Namespace).List(labels.Everything())
	var newest *appsv1.ReplicaSet
	for _, s := range sets {
		if metav1.IsControlledBy(s, d) && s.Annotations[revisionAnnotation] == d.Annotations[revisionAnnotation] {
			newest = s
		}
	}
	if newest == nil {
		return nil
	}
	all, _ := v.pods.Pods(d.Namespace).List(labels.Everything())
	return sortedPods(all, func(p *corev1.Pod) bool {
		return metav1.IsControlledBy(p, newest) && p.DeletionTimestamp == nil
	})
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
	all, _ := v.slices.EndpointSlices(namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service}))
	count := 0
	for _, slice := range all {
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

// mountFailure is the newest message about a volume that a pod cannot mount;
// empty when there is none.
func (v *view) mountFailure(pod *corev1.Pod) string {
	all, _ := v.events.Events(pod.Namespace).List(labels.Everything())
	var newest *corev1.Event
	for _, e := range all {
		if e.InvolvedObject.UID != pod.UID || e.Reason != "FailedMount" {
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
