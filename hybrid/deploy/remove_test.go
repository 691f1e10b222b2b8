package deploy

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// crowded is a cluster with the objects of run r1, of another run and of nobody's.
func crowded(t *testing.T) (*cluster, *Deployer) {
	t.Helper()
	c := newCluster(t)
	for name, labels := range map[string]map[string]string{"a-r1": {RunLabel: "r1"}, "a-r2": {RunLabel: "r2"}, "a": nil} {
		about := metav1.ObjectMeta{Name: name, Labels: labels}
		c.put(&corev1.Namespace{ObjectMeta: about}, &rbacv1.ClusterRole{ObjectMeta: about}, &rbacv1.ClusterRoleBinding{ObjectMeta: about})
	}
	isolation, err := Isolate("r1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, c.deployer(Options{Isolation: isolation, Timeout: time.Minute})
}

// names are those of all objects that Remove could have deleted.
func (c *cluster) names() (all []string) {
	ctx := c.t.Context()
	namespaces, err := c.typed.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	roles, rolesErr := c.typed.RbacV1().ClusterRoles().List(ctx, metav1.ListOptions{})
	bindings, bindingsErr := c.typed.RbacV1().ClusterRoleBindings().List(ctx, metav1.ListOptions{})
	if err := errors.Join(err, rolesErr, bindingsErr); err != nil {
		c.t.Fatal(err)
	}
	for _, o := range namespaces.Items {
		all = append(all, "Namespace "+o.Name)
	}
	for _, o := range roles.Items {
		all = append(all, "ClusterRole "+o.Name)
	}
	for _, o := range bindings.Items {
		all = append(all, "ClusterRoleBinding "+o.Name)
	}
	return all
}

func TestRemoveDeletesTheRunsOwnAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := crowded(t)
		for range 2 {
			if err := d.Remove(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			want := []string{
				"Namespace a", "Namespace a-r2", "ClusterRole a", "ClusterRole a-r2", "ClusterRoleBinding a", "ClusterRoleBinding a-r2",
			}
			if got := c.names(); !reflect.DeepEqual(got, want) {
				t.Errorf("left %q, want %q", got, want)
			}
		}
	})
}

// slowly has namespaces go after a while, as those with something in them do; never for 0.
func slowly(t *testing.T, c *cluster, after time.Duration) {
	c.typed.PrependReactor("delete", "namespaces", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if after > 0 {
			name := a.(clienttesting.DeleteAction).GetName()
			time.AfterFunc(after, func() {
				if err := c.typed.Tracker().Delete(a.GetResource(), "", name); err != nil {
					t.Error(err)
				}
			})
		}
		return true, nil, nil
	})
}

func TestRemoveWaitsForNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := crowded(t)
		slowly(t, c, 20*time.Second)
		start := time.Now()
		if err := d.Remove(t.Context(), nil); err != nil || time.Since(start) != 20*time.Second {
			t.Errorf("removed after %s, error %v", time.Since(start), err)
		}
	})
}

func TestRemoveTellsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := crowded(t)
		slowly(t, c, 0)
		start := time.Now()
		err := d.Remove(t.Context(), nil)
		want := "kubectl --kubeconfig /kc delete namespaces,clusterroles,clusterrolebindings --selector hybrid.local/run=r1"
		if err == nil || time.Since(start) != time.Minute || fault.Next(err) != want {
			t.Errorf("after %s: error %v, next %q, want %q", time.Since(start), err, fault.Next(err), want)
		}
		stopped := errors.New("stopped")
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { stop(stopped) })
		if err := d.Remove(ctx, nil); !errors.Is(err, stopped) {
			t.Errorf("error %v", err)
		}
	})
}

func TestRemoveRefusesWithoutIsolation(t *testing.T) {
	c := newCluster(t)
	c.put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{RunLabel: ""}}})
	if err := c.deployer(Options{}).Remove(t.Context(), nil); err == nil || !reflect.DeepEqual(c.names(), []string{"Namespace a"}) {
		t.Errorf("error %v, left %q", err, c.names())
	}
}

// definition is a CustomResourceDefinition that the run made.
func definition(c *cluster, run string) {
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "rs.kubernaut.ai", "labels": map[string]any{RunLabel: run}},
		"spec": map[string]any{
			"group": "kubernaut.ai", "names": map[string]any{"plural": "rs"},
			"versions": []any{map[string]any{"name": "v0", "served": false}, map[string]any{"name": "v1", "served": true}},
		},
	}}
	c.store(crd, map[string]any{})
}

func TestRemoveTakesItsDefinitionsUnlessTheyAreUsed(t *testing.T) {
	for name, tt := range map[string]struct {
		label        string
		other, used  bool
		left, logged string
	}{
		"its own":         {label: "r1"},
		"of another run":  {label: "r2", left: "rs.kubernaut.ai"},
		"another run":     {label: "r1", other: true, left: "rs.kubernaut.ai", logged: "CustomResourceDefinition rs.kubernaut.ai stays: it is in use\n"},
		"with an object":  {label: "r1", used: true, left: "rs.kubernaut.ai", logged: "CustomResourceDefinition rs.kubernaut.ai stays: it is in use\n"},
		"of nobody's run": {label: "", left: "rs.kubernaut.ai"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			definition(c, tt.label)
			if tt.other {
				c.put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a-r2", Labels: map[string]string{RunLabel: "r2"}}})
			}
			c.dynamic.PrependReactor("list", "rs", func(clienttesting.Action) (bool, runtime.Object, error) {
				list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "kubernaut.ai/v1", "kind": "RList"}}
				if tt.used {
					list.Items = make([]unstructured.Unstructured, 1)
				}
				return true, list, nil
			})
			isolation, err := Isolate("r1", nil)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			if err := c.deployer(Options{Isolation: isolation}).Remove(t.Context(), &log); err != nil {
				t.Fatal(err)
			}
			crds, err := c.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			left := ""
			for _, crd := range crds.Items {
				left += crd.GetName()
			}
			if left != tt.left || log.String() != tt.logged {
				t.Errorf("left %q, want %q; logged %q, want %q", left, tt.left, log.String(), tt.logged)
			}
		})
	}
}
