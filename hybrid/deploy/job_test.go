package deploy

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

func TestStartJob(t *testing.T) {
	c := newCluster(t)
	isolation, err := Isolate("r1", nil)
	if err != nil {
		t.Fatal(err)
	}
	d := c.deployer(Options{Isolation: isolation})
	if err := d.StartJob(t.Context(), Job{Name: "specs", Image: "registry/specs@sha256:1", Pods: 3, Files: map[string][]byte{"0.args": []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	secret, err := c.typed.CoreV1().Secrets(testNamespace).Get(t.Context(), "specs", metav1.GetOptions{})
	if err != nil || string(secret.Data["0.args"]) != "x" || secret.Labels[RunLabel] != "r1" {
		t.Errorf("%v, %v", secret, err)
	}
	job, err := c.typed.BatchV1().Jobs(testNamespace).Get(t.Context(), "specs", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := job.Spec
	if *s.Completions != 3 || *s.Parallelism != 3 || *s.CompletionMode != batchv1.IndexedCompletion || *s.BackoffLimitPerIndex != 0 || job.Labels[RunLabel] != "r1" {
		t.Errorf("spec %+v, labels %v", s, job.Labels)
	}
	pod := s.Template.Spec
	container := pod.Containers[0]
	if container.Image != "registry/specs@sha256:1" || strings.Join(container.Args, " ") != "/job" || pod.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("container %+v", container)
	}
	if err := d.StartJob(t.Context(), Job{Name: "specs"}); err == nil || !strings.HasPrefix(err.Error(), "create the Secret of Job ns/specs: ") {
		t.Errorf("the second time: %v", err)
	}
}

// indexed is a pod of the Job.
func indexed(index int, phase corev1.PodPhase, state corev1.ContainerState) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "specs-" + strconv.Itoa(index), Namespace: testNamespace,
			Labels: map[string]string{batchv1.JobNameLabel: "specs", batchv1.JobCompletionIndexAnnotation: strconv.Itoa(index)},
		},
		Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{Name: "specs", State: state}}},
	}
}

func TestAwaitJobReceivesWhatItsPodDelivers(t *testing.T) {
	dir := t.TempDir()
	l := &logs{asked: map[string]int{}, texts: map[string][]string{
		"specs-1": {"running\ncut", "running\nended\n" + delivered(t, "specs.json", "[]")}, "specs-0": {delivered(t, "specs.json", "other")},
	}}
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.put(indexed(0, corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}))
		d := c.deployer(Options{Timeout: time.Minute})
		time.AfterFunc(5*time.Second, func() {
			c.put(indexed(1, corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}))
		})
		time.AfterFunc(10*time.Second, func() {
			c.put(indexed(1, corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}))
		})
		var log bytes.Buffer
		if err := d.awaitJob(t.Context(), &log, "specs", 1, dir, l.open); err != nil {
			t.Fatal(err)
		}
		if log.String() != "running\ncut" {
			t.Errorf("logged %q", log.String())
		}
	})
	if b, err := os.ReadFile(filepath.Join(dir, "specs.json")); err != nil || string(b) != "[]" {
		t.Errorf("received %q, %v", b, err)
	}
}

func TestAwaitJobTellsOfAPodThatDeliversNothing(t *testing.T) {
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
	pulls := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}
	for want, pod := range map[string]*corev1.Pod{
		"the delivery is not complete":                        indexed(0, corev1.PodFailed, ended),
		"it cannot start: ImagePullBackOff: no such image":    indexed(0, corev1.PodPending, pulls),
		"it failed: Evicted: disk":                            {ObjectMeta: indexed(0, "", ended).ObjectMeta, Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "disk"}},
		"it did not start within 1m0s":                        indexed(0, corev1.PodPending, corev1.ContainerState{}),
		"it did not start within 1m0s, since there is no pod": nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t)
			if pod != nil {
				c.put(pod)
			}
			d := c.deployer(Options{Timeout: time.Minute})
			err := d.awaitJob(t.Context(), nil, "specs", 0, t.TempDir(), func(context.Context, *corev1.Pod) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader("panic\n")), nil
			})
			text, _, _ := strings.Cut(want, ", since")
			if err == nil || err.Error() != "the pod of index 0 of Job ns/specs: "+text {
				t.Errorf("error %v, want %s", err, text)
			}
			if next := fault.Next(err); !strings.Contains(next, "describe pods --selector batch.kubernetes.io/job-completion-index=0,batch.kubernetes.io/job-name=specs") {
				t.Errorf("next %q", next)
			}
		})
	}
}
