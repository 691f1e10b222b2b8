package deploy

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// scaled makes the fake answer the scale subresource and records the patches.
func (c *cluster) scaled() *[]string {
	var patches []string
	c.typed.PrependReactor("patch", "deployments", func(action clienttesting.Action) (bool, runtime.Object, error) {
		p := action.(clienttesting.PatchActionImpl)
		patches = append(patches, p.GetName()+"/"+p.GetSubresource()+" "+string(p.GetPatch()))
		return true, deployment(0), nil
	})
	return &patches
}

// endingPod has its container ended with the code.
func endingPod(code int32) *corev1.Pod {
	p := pod("p", "rs2", corev1.PodRunning, corev1.ContainerStatus{
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}},
	})
	now := metav1.Now()
	p.DeletionTimestamp = &now
	return p
}

func TestStop(t *testing.T) {
	for name, tt := range map[string]struct {
		code       int32
		want, next string
	}{
		"by itself": {0, "", ""},
		"killed": {
			137, "container gateway of pod p did not end within its grace and was killed (exit code 137); its coverage data is lost",
			"make terminationGracePeriodSeconds longer than the service's own shutdown",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				other := pod("other", "rs9", corev1.PodRunning, running(true))
				other.Labels = map[string]string{"app": "other"}
				c.put(deployment(1), pod("p", "rs2", corev1.PodRunning, running(true)), other)
				patches := c.scaled()
				var log bytes.Buffer
				result := make(chan error, 1)
				go func() { result <- c.deployer(Options{}).Stop(t.Context(), &log, "gateway") }()
				synctest.Wait()
				time.Sleep(3 * time.Second)
				// The last state and the end come in one go, as from kubelet.
				c.put(endingPod(tt.code))
				c.remove("pods", "p")
				err := <-result
				got := ""
				if err != nil {
					got = err.Error()
				}
				if got != tt.want || fault.Next(err) != tt.next {
					t.Errorf("got %q, next %q", got, fault.Next(err))
				}
				if len(*patches) != 1 || (*patches)[0] != `gateway/scale {"spec":{"replicas":0}}` {
					t.Errorf("patches %q", *patches)
				}
				if got, want := log.String(), "stopped gateway in 3s\n"; got != want {
					t.Errorf("log %q, want %q", got, want)
				}
			})
		})
	}
}

func TestStopTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.put(deployment(1), endingPod(0))
		c.scaled()
		err := c.deployer(Options{Timeout: time.Minute}).Stop(t.Context(), nil, "gateway")
		if err == nil || err.Error() != "pods of stopped Deployments are still there after 1m0s: p" {
			t.Errorf("got %v", err)
		}
		if got, want := fault.Next(err), "kubectl --kubeconfig /kc --namespace ns describe pods p"; got != want {
			t.Errorf("next %q, want %q", got, want)
		}
	})
}

func TestStopOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := newCluster(t).deployer(Options{}).Stop(t.Context(), nil, "gateway")
		if err == nil || err.Error() != "stop Deployment ns/gateway: it does not exist" {
			t.Errorf("got %v", err)
		}
	})
}
