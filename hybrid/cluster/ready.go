package cluster

import (
	"cmp"
	"context"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// notReadyGrace is how long a node may be not Ready before that counts: a kubelet that
// was restarted says so for a moment.
const notReadyGrace = 5 * time.Second

// watchReady returns an error once a node that was Ready has not been for
// notReadyGrace. Kubernetes takes some 50 s to notice a kubelet that went silent.
func (c *Cluster) watchReady(ctx context.Context) error {
	if c.REST == nil {
		return nil
	}
	client, err := kubernetes.NewForConfig(c.REST)
	if err != nil {
		return err
	}
	return nodesStayReady(ctx, cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "nodes", "", fields.Everything()))
}

func nodesStayReady(ctx context.Context, nodes cache.ListerWatcher) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	was, timers := map[string]bool{}, map[string]*time.Timer{}
	defer func() {
		for _, t := range timers {
			t.Stop()
		}
	}()
	// What a watch meets while its API server is away is of no interest.
	quiet := klog.NewContext(ctx, logr.Discard())
	// It returns when ctx ends; the watch survives a restart of the API server.
	_ = until(quiet, nodes, &corev1.Node{}, func(e watch.Event) (bool, error) {
		node, ok := e.Object.(*corev1.Node)
		if !ok {
			return false, nil
		}
		for _, x := range node.Status.Conditions {
			if x.Type != corev1.NodeReady {
				continue
			}
			if x.Status == corev1.ConditionTrue {
				was[node.Name] = true
				if t := timers[node.Name]; t != nil {
					t.Stop()
					delete(timers, node.Name)
				}
			} else if was[node.Name] && timers[node.Name] == nil {
				failed := &NodeNotReadyError{node.Name, cmp.Or(x.Message, x.Reason)}
				timers[node.Name] = time.AfterFunc(notReadyGrace, func() { stop(fault.With(failed, again)) })
			}
		}
		return false, nil
	})
	return context.Cause(ctx)
}
