package deploy

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// barrier is the readiness of one folder's Deployments and Services.
type barrier struct {
	view     *view
	wanted   []Object
	troubled map[string]time.Time
}

// verdict is the state of the barrier at one moment.
type verdict struct {
	// missing is what is not ready yet; empty means that all is.
	missing []*NotReadyError
	// hopeless is what can never become ready.
	hopeless []*NotReadyError
	// again is when a state becomes hopeless if nothing changes; zero: never.
	again time.Duration
}

// newBarrier waits for those objects that have a readiness to wait for.
func newBarrier(v *view, objects []Object) *barrier {
	b := &barrier{view: v, troubled: map[string]time.Time{}}
	for _, o := range objects {
		selector, _, _ := unstructured.NestedMap(o.Object, "spec", "selector")
		if o.GetKind() == "Deployment" || o.GetKind() == "Service" && len(selector) > 0 {
			b.wanted = append(b.wanted, o)
		}
	}
	return b
}

// judge looks at everything that is wanted. It remembers since when troubles
// last, so one goroutine calls it.
func (b *barrier) judge(now time.Time) verdict {
	var result verdict
	lasting := map[string]time.Time{}
	for _, o := range b.wanted {
		e := &NotReadyError{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}
		if o.GetKind() == "Service" {
			if b.view.readyEndpoints(e.Namespace, e.Name) == 0 {
				e.Reason = "no pod behind it is ready"
				selector, _, _ := unstructured.NestedStringMap(o.Object, "spec", "selector")
				e.selector = labels.SelectorFromSet(selector)
				result.missing = append(result.missing, e)
			}
			continue
		}
		d := b.view.deployment(e.Namespace, e.Name)
		if d == nil || d.UID != o.GetUID() {
			e.Reason = "it does not exist"
			result.missing = append(result.missing, e)
			continue
		}
		if d.Generation < o.GetGeneration() {
			e.Reason = notBegun
			result.missing = append(result.missing, e)
			continue
		}
		if e.Reason = unfinished(d); e.Reason == "" {
			continue
		}
		result.missing = append(result.missing, e)
		for _, t := range b.troubles(d) {
			key := e.Name + "\x00" + t.reason
			since, known := b.troubled[key]
			if !known {
				since = now
			}
			lasting[key] = since
			left := t.grace - now.Sub(since)
			if left <= 0 {
				e.Reason = t.reason
				result.hopeless = append(result.hopeless, e)
				break
			}
			if result.again == 0 || left < result.again {
				result.again = left
			}
		}
	}
	b.troubled = lasting
	return result
}

func (b *barrier) troubles(d *appsv1.Deployment) []trouble {
	if d.Status.ObservedGeneration < d.Generation {
		// Conditions and pods are still those of an older revision.
		return nil
	}
	found := deploymentTroubles(d)
	for _, pod := range b.view.current(d) {
		found = append(found, podTroubles(pod, b.view.failures(pod))...)
	}
	return found
}

// remaining is the short text of what is missing, for the log and for timeouts.
func (v verdict) remaining() string {
	texts := make([]string, len(v.missing))
	for i, e := range v.missing {
		texts[i] = fmt.Sprintf("%s %s: %s", e.Kind, e.Name, e.Reason)
	}
	return strings.Join(texts, "; ")
}

// selectorOf gives the selector of a Deployment; nothing when it is invalid,
// which the API server would not have let in.
func selectorOf(d *appsv1.Deployment) labels.Selector {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return labels.Nothing()
	}
	return selector
}
