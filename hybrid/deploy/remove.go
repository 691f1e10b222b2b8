package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// Remove deletes what an isolated run has made and returns when its namespaces are gone,
// with all that was in them. It finds them by RunLabel, so that it also serves after a
// Setup that failed half-way, and a second time. Without an Isolation it refuses.
// CustomResourceDefinitions that the run made go too, unless somebody uses them by now.
func (d *Deployer) Remove(ctx context.Context, log io.Writer) error {
	if d.o.Isolation.run == "" {
		return errors.New("remove: refused, since the run has no names of its own in the cluster")
	}
	only := RunLabel + "=" + d.o.Isolation.run
	next := d.kubectl("delete namespaces,clusterroles,clusterrolebindings --selector " + only)
	// The rights go first: what still runs can do nothing more with them.
	err := errors.Join(d.removeRights(ctx, only), d.removeNamespaces(ctx, only))
	if err == nil {
		err = d.removeDefinitions(ctx, discard(log), only)
	}
	return fault.With(err, next)
}

// removeDefinitions deletes the CustomResourceDefinitions that the run made. With one, all
// of its objects would go: it stays when there are any, or when another run is under way,
// which may be about to make some.
func (d *Deployer) removeDefinitions(ctx context.Context, log io.Writer, only string) error {
	definitions := d.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	list, err := definitions.List(ctx, metav1.ListOptions{LabelSelector: only})
	if err != nil {
		return fmt.Errorf("list the run's CustomResourceDefinitions: %w", err)
	}
	if len(list.Items) == 0 {
		return nil
	}
	others, err := d.typed.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: RunLabel})
	if err != nil {
		return fmt.Errorf("look for other runs: %w", err)
	}
	var errs []error
	for i := range list.Items {
		crd := &list.Items[i]
		used := len(others.Items) > 0
		if !used {
			used, err = d.inUse(ctx, crd)
			errs = append(errs, err)
		}
		if used {
			_, _ = fmt.Fprintf(log, "CustomResourceDefinition %s stays: it is in use\n", crd.GetName())
			continue
		}
		errs = append(errs, removed("CustomResourceDefinition", crd.GetName(), definitions.Delete(ctx, crd.GetName(), metav1.DeleteOptions{})))
	}
	return errors.Join(errs...)
}

// inUse tells whether there is an object of a CustomResourceDefinition; true with an error.
func (d *Deployer) inUse(ctx context.Context, crd *unstructured.Unstructured) (bool, error) {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		version, _ := v.(map[string]any)
		name, _ := version["name"].(string)
		if served, _ := version["served"].(bool); !served {
			continue
		}
		list, err := d.dynamic.Resource(schema.GroupVersionResource{Group: group, Version: name, Resource: plural}).List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			return true, fmt.Errorf("look who uses CustomResourceDefinition %s: %w", crd.GetName(), err)
		}
		return len(list.Items) > 0, nil
	}
	return false, nil
}

func (d *Deployer) removeRights(ctx context.Context, only string) error {
	rbac, options := d.typed.RbacV1(), metav1.ListOptions{LabelSelector: only}
	var errs []error
	bindings, err := rbac.ClusterRoleBindings().List(ctx, options)
	if err != nil {
		return fmt.Errorf("list the run's ClusterRoleBindings: %w", err)
	}
	for _, b := range bindings.Items {
		errs = append(errs, removed("ClusterRoleBinding", b.Name, rbac.ClusterRoleBindings().Delete(ctx, b.Name, metav1.DeleteOptions{})))
	}
	roles, err := rbac.ClusterRoles().List(ctx, options)
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("list the run's ClusterRoles: %w", err))...)
	}
	for _, r := range roles.Items {
		errs = append(errs, removed("ClusterRole", r.Name, rbac.ClusterRoles().Delete(ctx, r.Name, metav1.DeleteOptions{})))
	}
	return errors.Join(errs...)
}

// removed is the error of a deletion, none when the object was gone before.
func removed(kind, name string, err error) error {
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("delete %s: %w", title(kind, "", name), err)
}

// removeNamespaces deletes the run's namespaces, all before it waits for any.
func (d *Deployer) removeNamespaces(ctx context.Context, only string) error {
	client := d.typed.CoreV1().Namespaces()
	list, err := client.List(ctx, metav1.ListOptions{LabelSelector: only})
	if err != nil {
		return fmt.Errorf("list the run's namespaces: %w", err)
	}
	var errs []error
	for _, n := range list.Items {
		errs = append(errs, removed("Namespace", n.Name, client.Delete(ctx, n.Name, metav1.DeleteOptions{})))
	}
	if err := errors.Join(errs...); err != nil || len(list.Items) == 0 {
		return err
	}
	lw := narrowed(client.List, client.Watch, func(o *metav1.ListOptions) { o.LabelSelector = only })
	left := map[string]bool{}
	gone := func(store cache.Store) (bool, error) {
		for _, name := range store.ListKeys() {
			left[name] = true
		}
		return len(left) == 0, nil
	}
	limited, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	_, err = watchtools.UntilWithSync(limited, cache.ToListWatcherWithWatchListSemantics(lw, d.typed), &corev1.Namespace{}, gone, func(e watch.Event) (bool, error) {
		if n, ok := e.Object.(*corev1.Namespace); ok && e.Type == watch.Deleted {
			delete(left, n.Name)
		}
		return len(left) == 0, nil
	})
	switch {
	case err == nil:
		return nil
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	default:
		return fmt.Errorf("wait until the run's namespaces are gone, %d are left after at most %s: %w", len(left), d.o.Timeout, err)
	}
}

// narrowed lists and watches what a change of the options leaves.
func narrowed[L runtime.Object](list func(context.Context, metav1.ListOptions) (L, error),
	follow func(context.Context, metav1.ListOptions) (watch.Interface, error), narrow func(*metav1.ListOptions),
) *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			narrow(&o)
			return list(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			narrow(&o)
			return follow(ctx, o)
		},
	}
}
