package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// takenInTimeout bounds the wait for one namespace or CRD; both take the API
// server well under a second.
const takenInTimeout = 30 * time.Second

// takenIn gives the condition under which others can build on an object of a
// kind; nil for kinds that are usable as soon as they exist.
func takenIn(kind string) func(*unstructured.Unstructured) bool {
	switch kind {
	case "Namespace":
		return func(u *unstructured.Unstructured) bool {
			phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
			return phase == "Active"
		}
	case "CustomResourceDefinition":
		return func(u *unstructured.Unstructured) bool { return condition(u, "Established") == "True" }
	}
	return nil
}

// condition is the status of a condition, empty when it is not there.
func condition(u *unstructured.Unstructured, name string) string {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == name {
			status, _ := m["status"].(string)
			return status
		}
	}
	return ""
}

// await watches one object until done says yes.
func (d *Deployer) await(ctx context.Context, o Object, done func(*unstructured.Unstructured) bool) error {
	client, err := d.clientFor(o)
	if err != nil {
		return fmt.Errorf("watch %s: %w", o, err)
	}
	only := fields.OneTermEqualSelector("metadata.name", o.GetName()).String()
	lw := narrowed(client.List, client.Watch, func(o *metav1.ListOptions) { o.FieldSelector = only })
	limited, cancel := context.WithTimeout(ctx, takenInTimeout)
	defer cancel()
	_, err = watchtools.UntilWithSync(limited, cache.ToListWatcherWithWatchListSemantics(lw, d.dynamic), &unstructured.Unstructured{}, nil, func(e watch.Event) (bool, error) {
		if e.Type == watch.Deleted {
			return false, errors.New("it was deleted meanwhile")
		}
		u, ok := e.Object.(*unstructured.Unstructured)
		return ok && u.GetName() == o.GetName() && done(u), nil
	})
	switch {
	case err == nil:
		return nil
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case limited.Err() != nil:
		err = fmt.Errorf("%s exists but is not usable after %s", o, takenInTimeout)
	default:
		err = fmt.Errorf("wait for %s: %w", o, err)
	}
	return fault.With(err, d.kubectl("describe "+o.GetKind()+" "+o.GetName()))
}
