package deploy

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

const gatewayManifest = `apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway}
spec:
  selector: {matchLabels: {app: gateway}}
  template:
    metadata: {labels: {app: gateway}}
    spec: {containers: [{name: gateway, image: hybrid.local/gateway, imagePullPolicy: Never}]}
---
apiVersion: v1
kind: Service
metadata: {name: gateway}
spec: {selector: {app: gateway}, ports: [{port: 8080}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gateway-config}
`

// start runs Workload on the gateway's folder inside a synctest bubble.
func start(ctx context.Context, c *cluster, o Options) (*bytes.Buffer, <-chan error) {
	c.file("gateway/all.yaml", gatewayManifest)
	log, result := &bytes.Buffer{}, make(chan error, 1)
	go func() { result <- c.deployer(o).Workload(ctx, log, "gateway") }()
	return log, result
}

func TestWorkloadWaitsForRolloutAndEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		// The controllers are at work: an old pod still serves, then the new one.
		old := deployment(1)
		old.Generation = 2
		c.put(old, replicaSet("rs1", "1"), replicaSet("rs2", "2"),
			pod("old", "rs1", corev1.PodRunning, running(true)), endpoint("old", true))
		log, result := start(t.Context(), c, Options{})
		synctest.Wait()
		rolling := deployment(1)
		rolling.Status.Replicas = 2
		c.put(rolling)
		synctest.Wait()
		c.put(pod("new", "rs2", corev1.PodRunning, running(false)))
		c.put(deployment(0))
		synctest.Wait()
		c.remove("pods", "old")
		synctest.Wait()
		c.put(deployment(1), endpoint("new", false))
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("ended before the endpoint was ready: %v", err)
		default:
		}
		c.put(endpoint("new", true))
		if err := <-result; err != nil {
			t.Fatal(err)
		}
		want := []string{"ConfigMap ns/gateway-config", "Deployment ns/gateway", "Service ns/gateway"}
		got := c.appliedObjects()
		if len(got) != 3 || got[2] != want[1] {
			t.Errorf("applied %v; the Deployment must come last of %v", got, want)
		}
		wantLog := `applied 3 objects in 0s
waiting: Deployment gateway: the rollout has not begun
waiting: Deployment gateway: 1 old pods are still there
waiting: Deployment gateway: 0 of 1 pods are ready
waiting: Deployment gateway: 0 of 1 pods are ready; Service gateway: no pod behind it is ready
waiting: Service gateway: no pod behind it is ready
ready after 0s
`
		if log.String() != wantLog {
			t.Errorf("log:\n%s\nwant:\n%s", log, wantLog)
		}
	})
}

func TestWorkloadFailsOnHopelessStates(t *testing.T) {
	crashed := waiting("CrashLoopBackOff", "back-off")
	crashed.RestartCount = 3
	crashed.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
	unschedulable := pod("p", "rs2", corev1.PodPending, corev1.ContainerStatus{})
	unschedulable.Status.ContainerStatuses = nil
	unschedulable.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes"}}
	refused := deployment(0)
	refused.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "violates PodSecurity"}}
	stuck := deployment(0)
	stuck.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}}
	tests := []struct {
		name       string
		deployment *appsv1.Deployment
		pod        *corev1.Pod
		after      time.Duration
		reason     string
		evidence   []string
	}{
		{
			"image missing", deployment(0), pod("p", "rs2", corev1.PodPending, waiting("ErrImageNeverPull", "not present")), 0,
			"container gateway of pod p: ErrImageNeverPull: not present",
			[]string{"pod p: Pending on node-1", "container gateway: waiting: ErrImageNeverPull: not present, 0 restarts"},
		},
		{
			"crash loop", deployment(0), pod("p", "rs2", corev1.PodRunning, crashed), 0,
			"container gateway of pod p crashes again and again (3 restarts), last exit code 137 (OOMKilled)",
			[]string{
				"pod p: Running on node-1",
				"container gateway: waiting: CrashLoopBackOff: back-off, 3 restarts, last exit code 137 (OOMKilled)",
				"log gateway (previous run) | fake logs",
			},
		},
		{
			"config error", deployment(0), pod("p", "rs2", corev1.PodPending, waiting("CreateContainerConfigError", `secret "x" not found`)), lateGrace,
			`container gateway of pod p: CreateContainerConfigError: secret "x" not found`,
			[]string{"pod p: Pending on node-1", `container gateway: waiting: CreateContainerConfigError: secret "x" not found, 0 restarts`},
		},
		{
			"unschedulable", deployment(0), unschedulable, lateGrace,
			"pod p cannot be scheduled: 0/1 nodes",
			[]string{"pod p: Pending on node-1"},
		},
		{"refused", refused, nil, lateGrace, "pods are refused (FailedCreate): violates PodSecurity", nil},
		{"stuck", stuck, nil, 0, "the rollout made no progress for progressDeadlineSeconds", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t)
				c.put(tt.deployment, replicaSet("rs2", "2"))
				if tt.pod != nil {
					c.put(tt.pod)
				}
				begin := time.Now()
				_, result := start(t.Context(), c, Options{})
				checkNotReady(t, <-result, tt.reason, tt.evidence)
				if took := time.Since(begin); took != tt.after {
					t.Errorf("took %s, want %s", took, tt.after)
				}
			})
		})
	}
}

func checkNotReady(t *testing.T, err error, reason string, evidence []string) {
	t.Helper()
	var failed *NotReadyError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want a NotReadyError", err)
	}
	if failed.Kind != "Deployment" || failed.Namespace != testNamespace || failed.Name != "gateway" {
		t.Errorf("blames %s %s/%s", failed.Kind, failed.Namespace, failed.Name)
	}
	if failed.Reason != reason {
		t.Errorf("reason %q\nwant   %q", failed.Reason, reason)
	}
	if got, want := strings.Join(failed.Evidence, "\n"), strings.Join(evidence, "\n"); got != want {
		t.Errorf("evidence:\n%s\nwant:\n%s", got, want)
	}
	if got, want := fault.Next(err), "kubectl --kubeconfig /kc --namespace ns describe Deployment gateway"; got != want {
		t.Errorf("next %q, want %q", got, want)
	}
}

func TestWorkloadVolumeThatCannotBeMounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.put(deployment(0), replicaSet("rs2", "2"), pod("p", "rs2", corev1.PodPending, waiting("ContainerCreating", "")),
			event("p", "FailedMount", "/coverdata/gateway is not a directory"), event("other", "FailedMount", "x"))
		begin := time.Now()
		_, result := start(t.Context(), c, Options{})
		checkNotReady(t, <-result, "pod p cannot mount a volume: /coverdata/gateway is not a directory", []string{
			"pod p: Pending on node-1", "container gateway: waiting: ContainerCreating, 0 restarts",
			"event Warning FailedMount: /coverdata/gateway is not a directory (2 times)",
		})
		if took := time.Since(begin); took != mountGrace {
			t.Errorf("took %s, want %s", took, mountGrace)
		}
	})
}

func TestWorkloadWhoseProbeMeetsNobody(t *testing.T) {
	for message, reason := range map[string]string{
		"Readiness probe failed: dial tcp: connect: connection refused":  "container gateway of pod p runs, and readiness probe failed: dial tcp: connect: connection refused",
		"Readiness probe failed: HTTP probe failed with statuscode: 404": "container gateway of pod p runs, and readiness probe failed: HTTP probe failed with statuscode: 404",
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t)
			c.put(deployment(0), replicaSet("rs2", "2"), pod("p", "rs2", corev1.PodRunning, running(false)), event("p", "Unhealthy", message))
			begin := time.Now()
			_, result := start(t.Context(), c, Options{})
			checkNotReady(t, <-result, reason, []string{
				"pod p: Running on node-1", "container gateway: running, not ready, 0 restarts",
				"event Warning Unhealthy: " + message + " (2 times)", "log gateway | fake logs",
			})
			if took := time.Since(begin); took != deafGrace {
				t.Errorf("took %s, want %s", took, deafGrace)
			}
		})
	}
}

func TestWorkloadForgivesWhatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.put(deployment(0), replicaSet("rs2", "2"), pod("p", "rs2", corev1.PodPending, waiting("CreateContainerConfigError", "secret")))
		_, result := start(t.Context(), c, Options{})
		synctest.Wait()
		time.Sleep(lateGrace - time.Second)
		c.put(pod("p", "rs2", corev1.PodRunning, running(false)))
		synctest.Wait()
		time.Sleep(time.Minute)
		c.put(deployment(1), pod("p", "rs2", corev1.PodRunning, running(true)), endpoint("p", true))
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestWorkloadIgnoresThePodsOfAnOldRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.put(deployment(1), replicaSet("rs1", "1"), replicaSet("rs2", "2"), endpoint("p", true),
			pod("old", "rs1", corev1.PodPending, waiting("ErrImageNeverPull", "")), pod("p", "rs2", corev1.PodRunning, running(true)))
		_, result := start(t.Context(), c, Options{})
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestWorkloadTimesOutWithEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.put(deployment(0), replicaSet("rs2", "2"), pod("p", "rs2", corev1.PodRunning, running(false)), event("p", "Unhealthy", "probe: 503"))
		begin := time.Now()
		_, result := start(t.Context(), c, Options{Timeout: 30 * time.Second})
		err := <-result
		checkNotReady(t, err, "0 of 1 pods are ready after 30s", []string{
			"pod p: Running on node-1", "container gateway: running, not ready, 0 restarts",
			"event Warning Unhealthy: probe: 503 (2 times)", "log gateway | fake logs",
		})
		if want := "Deployment ns/gateway is not ready: 0 of 1 pods are ready after 30s\n  pod p: Running on node-1\n"; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %q, want prefix %q", err, want)
		}
		if took := time.Since(begin); took != 30*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestWorkloadHidesWhatSecretsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "auth", Namespace: testNamespace}, Data: map[string][]byte{"word": []byte("fake logs")}}
		c.put(deployment(0), replicaSet("rs2", "2"), pod("p", "rs2", corev1.PodRunning, running(false)), event("p", "Unhealthy", "it said fake logs"), secret)
		_, result := start(t.Context(), c, Options{Timeout: time.Second})
		checkNotReady(t, <-result, "0 of 1 pods are ready after 1s", []string{
			"pod p: Running on node-1", "container gateway: running, not ready, 0 restarts",
			"event Warning Unhealthy: it said (masked) (2 times)", "log gateway | (masked)",
		})
	})
}

func TestWorkloadBlamesAServiceOnlyWhenItsPodsAreReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		ending := pod("p", "rs2", corev1.PodRunning, running(true))
		now := metav1.Now()
		ending.DeletionTimestamp = &now
		c.put(deployment(1), replicaSet("rs2", "2"), ending, endpoint("p", true))
		_, result := start(t.Context(), c, Options{Timeout: time.Second})
		var failed *NotReadyError
		want := "Service ns/gateway is not ready: no pod behind it is ready after 1s\n" +
			"  pod p: Running, being deleted on node-1\n  container gateway: running and ready, 0 restarts"
		if err := <-result; !errors.As(err, &failed) || failed.Error() != want {
			t.Errorf("got %v", err)
		}
	})
}

func TestWorkloadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		stop := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		_, result := start(ctx, c, Options{})
		synctest.Wait()
		cancel(stop)
		if err := <-result; !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWorkloadChecksBeforeItApplies(t *testing.T) {
	c := newCluster(t)
	c.file("w/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n"+gatewayManifest)
	err := c.deployer(Options{Images: map[string]string{"hybrid.local/other": "x"}}).Workload(t.Context(), nil, "w")
	want := "Deployment gateway (w/a.yaml, document 2): container gateway: image hybrid.local/gateway is not among the images that are built"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	c.file("w/b.yaml", "apiVersion: v1\nkind: Nothing")
	if err := c.deployer(Options{}).Workload(t.Context(), nil, "w"); err == nil || err.Error() != "w/b.yaml: document 1: Nothing: metadata.name is missing" {
		t.Errorf("got %v", err)
	}
	if applied := c.appliedObjects(); len(applied) != 0 {
		t.Errorf("applied %v", applied)
	}
}
