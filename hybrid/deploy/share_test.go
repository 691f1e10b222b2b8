package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// watched lists the resources of which a watch was begun, sorted.
func (c *cluster) watched() []string {
	var resources []string
	for _, action := range c.typed.Actions() {
		if action.GetVerb() == "watch" {
			resources = append(resources, action.GetResource().Resource)
		}
	}
	slices.Sort(resources)
	return resources
}

func TestWorkloadsThatAreWaitedForTogetherShareTheirWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.file("gateway/all.yaml", gatewayManifest)
		d, result := c.deployer(Options{}), make(chan error)
		first, stop := context.WithCancelCause(t.Context())
		interrupted := errors.New("interrupted")
		for i := range 20 {
			ctx := t.Context()
			if i == 0 {
				ctx = first
			}
			go func() { result <- d.Workload(ctx, nil, "gateway") }()
			// The first one begins the watches.
			synctest.Wait()
		}
		want := []string{"deployments", "endpointslices", "events", "pods", "replicasets"}
		if got := c.watched(); !slices.Equal(got, want) {
			t.Errorf("watched %v, want %v", got, want)
		}
		// The watches outlive the one for whom they were begun.
		stop(interrupted)
		if err := <-result; !errors.Is(err, interrupted) {
			t.Errorf("got %v", err)
		}
		c.put(deployment(1), replicaSet("rs2", "2"), pod("p", "rs2", corev1.PodRunning, running(true)), endpoint("p", true))
		for range 19 {
			if err := <-result; err != nil {
				t.Error(err)
			}
		}
		if len(d.views) != 0 {
			t.Errorf("%d views are left", len(d.views))
		}
		// Whoever comes later gets new watches: the old ones have ended.
		if err := d.Workload(t.Context(), nil, "gateway"); err != nil {
			t.Error(err)
		}
		if got := len(c.watched()); got != 2*len(want) {
			t.Errorf("%d watches in all, want %d", got, 2*len(want))
		}
	})
}

// A view that others began may still show what was before the Deployment was applied.
func TestWorkloadWaitsForWhatItApplied(t *testing.T) {
	for _, c := range []struct {
		name    string
		applied func(*unstructured.Unstructured)
		reason  string
	}{
		{"changed", func(u *unstructured.Unstructured) { u.SetGeneration(2) }, "the rollout has not begun"},
		{"made anew", func(u *unstructured.Unstructured) { u.SetUID("d2") }, "it does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster := newCluster(t)
				cluster.put(deployment(1), replicaSet("rs2", "2"), pod("p", "rs2", corev1.PodRunning, running(true)), endpoint("p", true))
				cluster.onApply = func(u *unstructured.Unstructured) error {
					if u.GetKind() == "Deployment" {
						c.applied(u)
					}
					return nil
				}
				log, result := start(t.Context(), cluster, Options{})
				synctest.Wait()
				select {
				case err := <-result:
					t.Fatalf("an older state was taken for ready: %v", err)
				default:
				}
				next := deployment(1)
				next.UID, next.Generation, next.Status.ObservedGeneration = "d2", 2, 2
				if c.name == "changed" {
					next.UID = "d1"
				}
				cluster.put(next)
				if err := <-result; err != nil {
					t.Fatal(err)
				}
				want := fmt.Sprintf("applied 3 objects in 0s\nwaiting: Deployment gateway: %s\nready after 0s\n", c.reason)
				if got := log.String(); got != want {
					t.Errorf("log\n%swant\n%s", got, want)
				}
			})
		})
	}
}

func TestWatchesThatNeverAnswerEndWithTheWorkload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		refused := errors.New("refused")
		c.typed.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, refused })
		c.typed.PrependWatchReactor("*", func(clienttesting.Action) (bool, watch.Interface, error) { return true, nil, refused })
		d := c.deployer(Options{Timeout: 10 * time.Second})
		c.file("gateway/all.yaml", gatewayManifest)
		err := d.Workload(t.Context(), nil, "gateway")
		if want := "watch namespace ns: the API server gave no first answer: context deadline exceeded"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if next := fault.Next(err); next != "kubectl --kubeconfig /kc get nodes" {
			t.Errorf("next %q", next)
		}
		if len(d.views) != 0 {
			t.Errorf("%d views are left", len(d.views))
		}
	})
}

func TestWhoListensMissesNoChange(t *testing.T) {
	v := &view{listeners: map[chan struct{}]bool{}}
	one, endOne := v.listen()
	two, endTwo := v.listen()
	v.seen(nil, nil)
	v.seen(nil, nil)
	if len(one) != 1 || len(two) != 1 {
		t.Errorf("told %d and %d times, want once: several changes may be one", len(one), len(two))
	}
	<-one
	<-two
	endTwo()
	v.seen(nil, nil)
	if len(one) != 1 || len(two) != 0 {
		t.Errorf("told %d times, and %d times who does not listen any more", len(one), len(two))
	}
	endOne()
	if len(v.listeners) != 0 {
		t.Errorf("%d listeners are left", len(v.listeners))
	}
}
