package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hybrid-e2e/hybrid/hybrid/delivery"
)

const accompanied = `apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, namespace: ns}
spec:
  template:
    metadata: {labels: {app: gateway}}
    spec:
      containers: [{name: gateway, image: hybrid.local/gateway, imagePullPolicy: Never}]
`

func TestACourierGoesWithAnInstrumentedService(t *testing.T) {
	objects, err := Decode("in.yaml", []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: ns, labels: {pod-security.kubernetes.io/enforce: restricted}}\n---\n"+accompanied))
	if err != nil {
		t.Fatal(err)
	}
	isolation, err := Isolate("r1", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = prepare(objects, Options{
		Namespace: "ns", Isolation: isolation, Courier: "registry/courier@sha256:1",
		Images: map[string]string{"hybrid.local/gateway": "registry/gateway@sha256:2"}, Coverage: map[string]string{"hybrid.local/gateway": "gateway/1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := objects[0].GetLabels()["pod-security.kubernetes.io/enforce"]; got != "restricted" {
		t.Errorf("the namespace lets in what is %s", got)
	}
	want, err := Decode("want.yaml", []byte(`apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, namespace: ns}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: gateway, hybrid.local/coverage: gateway, hybrid.local/run: r1}}
    spec:
      containers:
        - name: gateway
          image: registry/gateway@sha256:2
          imagePullPolicy: IfNotPresent
          env: [{name: GOCOVERDIR, value: /coverdata}]
          volumeMounts: [{name: coverdata, mountPath: /coverdata}]
      initContainers:
        - name: coverage
          image: registry/courier@sha256:1
          imagePullPolicy: IfNotPresent
          restartPolicy: Always
          args: [/coverdata]
          volumeMounts: [{name: coverdata, mountPath: /coverdata}]
          resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {memory: 128Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            runAsNonRoot: true
            capabilities: {drop: [ALL]}
            seccompProfile: {type: RuntimeDefault}
      volumes: [{name: coverdata, emptyDir: {}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := objects[1].Object; !reflect.DeepEqual(got, want[0].Object) {
		t.Errorf("got  %v\nwant %v", got, want[0].Object)
	}
}

// carried is a pod of run r1 with a courier in the given state.
func carried(name, service string, state corev1.ContainerState) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: testNamespace, UID: types.UID(name), Labels: map[string]string{RunLabel: "r1", coverageLabel: service},
		},
		Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: courierName, State: state}}},
	}
}

// logs are what couriers write, by pod; each pod may be asked several times.
type logs struct {
	mu    sync.Mutex
	texts map[string][]string
	asked map[string]int
}

func (l *logs) open(_ context.Context, pod *corev1.Pod) (io.ReadCloser, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.asked[pod.Name]
	l.asked[pod.Name]++
	if n >= len(l.texts[pod.Name]) {
		return nil, errors.New("container is gone")
	}
	return io.NopCloser(strings.NewReader(l.texts[pod.Name][n])), nil
}

// delivered is the log of a courier with one file.
func delivered(t *testing.T, name, content string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := delivery.Send(&b, dir); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReceiveFollowsEveryPodOfTheRun(t *testing.T) {
	raw := t.TempDir()
	for _, dir := range []string{"gateway/1", "store/2"} {
		if err := os.MkdirAll(filepath.Join(raw, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l := &logs{asked: map[string]int{}, texts: map[string][]string{
		"at-once": {delivered(t, "covmeta.1", "one")}, "later": {"cut", delivered(t, "covmeta.2", "two")},
		"killed": {"cut"}, "of-a-spec": {delivered(t, "covmeta.3", "three")}, "not-ours": {delivered(t, "covmeta.4", "four")},
	}}
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
		foreign := carried("not-ours", "gateway", running)
		foreign.Labels[RunLabel] = "r2"
		c.put(carried("at-once", "gateway", running), carried("later", "store", corev1.ContainerState{}), foreign)
		isolation, err := Isolate("r1", nil)
		if err != nil {
			t.Fatal(err)
		}
		d := c.deployer(Options{
			Isolation: isolation, Timeout: time.Minute, Coverage: map[string]string{"hybrid.local/gateway": "gateway/1", "hybrid.local/store": "store/2"},
		})
		var log bytes.Buffer
		r, err := d.receive(t.Context(), &log, raw, l.open)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		synctest.Wait()
		spec := carried("of-a-spec", "gateway", corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}})
		spec.Namespace = "spec"
		c.put(carried("later", "store", running), carried("killed", "gateway", running), spec)
		synctest.Wait()
		c.remove("pods", "killed")
		remark, err := r.Wait(t.Context())
		if want := "1 pods delivered nothing: ns/killed"; err != nil || remark != want {
			t.Errorf("%q, %v; want %q", remark, err, want)
		}
		r.Close()
		for _, line := range []string{"ns/at-once delivered 1 files\n", "ns/later delivered 1 files\n", "spec/of-a-spec delivered 1 files\n", "ns/killed delivered nothing: "} {
			if !strings.Contains(log.String(), line) {
				t.Errorf("the log lacks %q:\n%s", line, log.String())
			}
		}
	})
	got := map[string]string{}
	for _, name := range []string{"gateway/1/covmeta.1", "store/2/covmeta.2", "gateway/1/covmeta.3", "gateway/1/covmeta.4"} {
		b, _ := os.ReadFile(filepath.Join(raw, name))
		got[name] = string(b)
	}
	want := map[string]string{"gateway/1/covmeta.1": "one", "store/2/covmeta.2": "two", "gateway/1/covmeta.3": "three", "gateway/1/covmeta.4": ""}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("received %v, want %v", got, want)
	}
}

func TestWaitTellsThatDataIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.put(carried("slow", "gateway", corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}))
		isolation, err := Isolate("r1", nil)
		if err != nil {
			t.Fatal(err)
		}
		d := c.deployer(Options{Isolation: isolation, Timeout: time.Minute, Coverage: map[string]string{"hybrid.local/gateway": "gateway/1"}})
		r, err := d.receive(t.Context(), nil, t.TempDir(), func(ctx context.Context, _ *corev1.Pod) (io.ReadCloser, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		remark, err := r.Wait(t.Context())
		if got := fmt.Sprint(time.Since(start), remark, err); got != "1m0scoverage data is still under way after 1m0s: context deadline exceeded" {
			t.Error(got)
		}
		r.Close()
	})
}
