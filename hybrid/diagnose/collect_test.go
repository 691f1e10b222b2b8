package diagnose

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

const secretValue = "0123456789abcdef0123456789abcdef"

func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// objects are a namespace with one good and one crashing pod.
func objects() []runtime.Object {
	at := metav1.NewTime(noon().Add(-90 * time.Second))
	pod := func(name string, ready corev1.ConditionStatus, status corev1.ContainerStatus) *corev1.Pod {
		status.Name = "main"
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", CreationTimestamp: at, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}},
			Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{
				Name: "main", Image: "hybrid.local/x:k",
				Env: []corev1.EnvVar{{Name: "COPIED", Value: secretValue}},
			}}},
			Status: corev1.PodStatus{
				Phase: corev1.PodRunning, PodIP: "10.0.0.1", ContainerStatuses: []corev1.ContainerStatus{status},
				Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
			},
		}
	}
	event := func(name, message string, ago time.Duration) *corev1.Event {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"}, Type: "Warning", Reason: "BackOff", Message: message,
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "bad"}, LastTimestamp: metav1.NewTime(noon().Add(-ago)),
		}
	}
	return []runtime.Object{
		pod("good", corev1.ConditionTrue, corev1.ContainerStatus{Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}),
		pod("bad", corev1.ConditionFalse, corev1.ContainerStatus{RestartCount: 2, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}),
		event("b", "second\n  line", time.Second), event("a", "first", time.Minute),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "auth", Namespace: "ns"}, Data: map[string][]byte{"password": []byte(secretValue), "username": []byte("audit")}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}, Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady"},
			{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue, Message: "disk is nearly full"},
		}}},
	}
}

// df is what a node says whose own disk is full; its mounts are of the same one.
const df = `Filesystem      Size  Used Avail Use% Mounted on
overlay          40G   40G     0 100% /
overlay          40G   40G     0 100% /var
tmpfs            64M  1.2M   63M   2% /run
tmpfs            12G   12G  100M  99% /var/lib/etcd
`

func read(t *testing.T, dir, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCollect(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "evidence")
	err := Collect(t.Context(), Options{
		Cause:  fault.With(errors.New("deploy: gateway is not ready\n  password "+secretValue), "kubectl describe pod bad"),
		Dir:    dir,
		Client: fake.NewClientset(objects()...), Namespaces: []string{"ns"}, Nodes: []string{"node-1", "node-2", "node-3"}, Now: noon,
		Run: func(_ context.Context, args ...string) ([]byte, error) {
			switch line := strings.Join(args, " "); {
			case line == "inspect node-1":
				return []byte(`[{"State":{"Status":"running"}}]`), nil
			case line == "inspect node-3":
				return []byte(`[{"State":{"Status":"paused"}}]`), nil
			case line == "inspect node-2":
				return []byte(`[{"State":{"Status":"exited","OOMKilled":true,"ExitCode":137,"FinishedAt":"2026-11-23T11:59:00Z"},"Config":{"Env":["HTTP_PROXY=http://me:hidden@proxy:1"]}}]`), nil
			case strings.HasPrefix(line, "exec node-1 crictl"):
				return []byte("partial"), errors.New("node is not running")
			case line == "exec node-1 df -h":
				return []byte(df), nil
			default:
				return []byte(line), nil
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFiles := []string{
		"SUMMARY.md", "nodes.txt", "nodes/node-1/containerd.log", "nodes/node-1/containers.txt", "nodes/node-1/disk.txt", "nodes/node-1/images.txt",
		"nodes/node-1/inodes.txt", "nodes/node-1/inspect.json", "nodes/node-1/journal.log", "nodes/node-1/kubelet.log", "nodes/node-1/memory.txt", "nodes/node-1/output.log",
		"nodes/node-2/inspect.json", "nodes/node-2/output.log", "nodes/node-3/inspect.json", "nodes/node-3/output.log",
		"ns/events.txt", "ns/logs/bad_main.previous.log", "ns/logs/good_main.log", "ns/not-ready/bad.yaml", "ns/pods.txt",
	}
	if got := tree(t, dir); !slices.Equal(got, wantFiles) {
		t.Errorf("files %q\nwant  %q", got, wantFiles)
	}
	for file, want := range map[string]string{
		"ns/pods.txt": "NAME  READY  STATUS            RESTARTS  AGE    IP        NODE    IMAGES\n" +
			"bad   0/1    CrashLoopBackOff  2         1m30s  10.0.0.1  node-1  hybrid.local/x:k\n" +
			"good  1/1    Running           0         1m30s  10.0.0.1  node-1  hybrid.local/x:k\n",
		"ns/events.txt": "TIME                  TYPE     REASON   OBJECT   COUNT  MESSAGE\n" +
			"2026-11-23T11:59:00Z  Warning  BackOff  pod/bad  1      first\n" +
			"2026-11-23T11:59:59Z  Warning  BackOff  pod/bad  1      second line\n",
		"nodes/node-1/journal.log": "exec node-1 journalctl --no-pager -n 5000",
		"nodes/node-1/kubelet.log": "exec node-1 journalctl -u kubelet --no-pager -n 5000",
		"ns/logs/good_main.log":    "fake logs",
		"SUMMARY.md": "The run failed: deploy: gateway is not ready\n\n```\n  password (masked)\n```\n\nNext: `kubectl describe pod bad`\n\n" +
			"Collected 2026-11-23T12:00:00Z.\n\n## What stands out\n\n" +
			"- Node container node-1: the disk at / is full, 40G of 40G used.\n- Node container node-1: the disk at /var/lib/etcd is full, 12G of 12G used.\n" +
			"- Node container node-2 is exited since 2026-11-23T11:59:00Z, exit code 137; it ran out of memory (OOMKilled).\n- Node container node-3 is paused.\n" +
			"- Node node-1: DiskPressure is True: disk is nearly full.\n" +
			"- Pod ns/bad is not ready: CrashLoopBackOff.\n\n## Files\n\n- `" + strings.Join(wantFiles[1:], "`\n- `") + "`\n\n## Not available\n\n" +
			"- nodes/node-1/containers.txt: node is not running\n- nodes/node-1/images.txt: node is not running\n" +
			"- what node-2 says itself: its container is exited\n- what node-3 says itself: its container is paused\n",
	} {
		if got := read(t, dir, file); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", file, got, want)
		}
	}
	if got := read(t, dir, "ns/not-ready/bad.yaml"); !strings.HasPrefix(got, "apiVersion: v1\nkind: Pod\n") || strings.Contains(got, "managedFields") || !strings.Contains(got, "value: (masked)") {
		t.Errorf("the pod's YAML:\n%s", got)
	}
	if got := read(t, dir, "nodes/node-2/inspect.json"); !strings.Contains(got, "http://me:(masked)@proxy:1") {
		t.Errorf("inspect: %s", got)
	}
	for _, file := range wantFiles {
		if text := read(t, dir, file); strings.Contains(text, secretValue) || strings.Contains(text, "hidden") {
			t.Errorf("%s shows a secret:\n%s", file, text)
		}
	}
}

// tree lists the files below dir, sorted.
func tree(t *testing.T, dir string) []string {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

func TestCollectKeepsWhatItHasWhenTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		begin := time.Now()
		err := Collect(t.Context(), Options{
			Dir: dir, Nodes: []string{"node-1"}, Now: noon,
			Run: func(ctx context.Context, args ...string) ([]byte, error) {
				if args[0] == "exec" {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return []byte(`[{"State":{"Status":"running"}}]`), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != defaultTimeout {
			t.Errorf("took %s", took)
		}
		got := read(t, dir, "SUMMARY.md")
		if !strings.HasPrefix(got, "Evidence was collected on request; no failure was reported.\n") ||
			!strings.Contains(got, "- nodes/node-1/journal.log: context deadline exceeded\n") ||
			!strings.Contains(got, "- `nodes/node-1/inspect.json`\n") {
			t.Errorf("summary:\n%s", got)
		}
	})
}

func TestCollectNamesWhatTheClusterDoesNotAnswer(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("connection refused")
	})
	dir := t.TempDir()
	if err := Collect(t.Context(), Options{Dir: dir, Client: client, Namespaces: []string{"ns"}, Now: noon, Cause: errors.New("node died")}); err != nil {
		t.Fatal(err)
	}
	want := "The run failed: node died\n\nCollected 2026-11-23T12:00:00Z.\n\n## Not available\n\n" +
		"- events of namespace ns: connection refused\n- nodes.txt: connection refused\n" +
		"- pods of namespace ns: connection refused\n- values to mask: namespace ns: connection refused\n"
	if got := read(t, dir, "SUMMARY.md"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestCollectNeedsAFolder(t *testing.T) {
	if err := Collect(t.Context(), Options{}); err == nil {
		t.Error("no folder, no error")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Collect(t.Context(), Options{Dir: file}); err == nil || !strings.HasPrefix(err.Error(), "create the folder for evidence: ") {
		t.Errorf("got %v", err)
	}
}

func TestCollectMakesAClientOfTheConfig(t *testing.T) {
	for host, want := range map[string]string{
		"https://127.0.0.1:1": "connect: connection refused",
		"://":                 "- cluster: make the Kubernetes client: ",
	} {
		dir := t.TempDir()
		if err := Collect(t.Context(), Options{Dir: dir, Config: &rest.Config{Host: host}, Namespaces: []string{"ns"}}); err != nil {
			t.Fatal(err)
		}
		if got := read(t, dir, "SUMMARY.md"); !strings.Contains(got, want) {
			t.Errorf("host %s: %q is not in:\n%s", host, want, got)
		}
	}
}

func TestPodStatus(t *testing.T) {
	now := metav1.Now()
	terminated := func(code int32, reason string) corev1.PodStatus {
		return corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}},
		}}}
	}
	for want, pod := range map[string]corev1.Pod{
		"OOMKilled(exit 137)": {Status: terminated(137, "OOMKilled")},
		"Terminated(exit 2)":  {Status: terminated(2, "")},
		"Unknown":             {Status: terminated(0, "Completed")},
		"Terminating":         {ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}},
		"Evicted":             {Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}},
	} {
		if got := podStatus(pod); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if !ready(corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}) {
		t.Error("a pod that did its work counts as not ready")
	}
}
