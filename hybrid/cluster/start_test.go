package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// kubeadms is a kubeconfig as kubeadm writes it.
const kubeadms = `apiVersion: v1
kind: Config
clusters:
- name: a
  cluster: {certificate-authority-data: Q0E=, server: "https://a-control-plane:6443"}
users:
- name: kubernetes-admin
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}
contexts:
- name: kubernetes-admin@a
  context: {cluster: a, user: kubernetes-admin}
current-context: kubernetes-admin@a
`

// onNodes answers what is run on nodes by what follows "docker exec".
type onNodes struct {
	mu    sync.Mutex
	calls []string
	run   func(ctx context.Context, line string, c command.Command) ([]byte, error)
}

func (n *onNodes) Run(ctx context.Context, c command.Command) ([]byte, error) {
	line := strings.TrimPrefix(c.String(), "docker exec ")
	n.mu.Lock()
	n.calls = append(n.calls, line)
	n.mu.Unlock()
	return n.run(ctx, line, c)
}

func started(t *testing.T, workers int, run func(ctx context.Context, line string, c command.Command) ([]byte, error)) (*Cluster, *onNodes) {
	n := &onNodes{run: run}
	c := &Cluster{
		Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"),
		engine:     &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: n},
	}
	c.record.Config = Config{Name: "a", Workers: workers, APIServer: 41000}
	return c, n
}

func archiveOf(t *testing.T, files map[string]string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestAKubeadmThatFails has the files read while kubeadm still runs, and its error told.
func TestAKubeadmThatFails(t *testing.T) {
	read := make(chan struct{})
	c, n := started(t, 1, func(ctx context.Context, line string, c command.Command) ([]byte, error) {
		if !strings.Contains(line, "kubeadm") {
			close(read)
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		if _, err := c.Stdout.Write([]byte("[certs] x\n" + kubeletStarts + "\n")); err != nil {
			t.Error(err)
		}
		<-read
		return nil, errors.New("exit status 1")
	})
	var out bytes.Buffer
	err := c.start(t.Context(), &out)
	if want := "start Kubernetes on node a-control-plane: exit status 1"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	same(t, "calls", n.calls, []string{
		"--privileged a-control-plane kubeadm init --config=/kind/kubeadm.conf --skip-token-print",
		"a-control-plane tar --create --ignore-failed-read --directory / etc/kubernetes/admin.conf etc/kubernetes/super-admin.conf " +
			"kind/manifests/default-cni.yaml kind/manifests/default-storage.yaml",
	})
	if want := "[certs] x\n" + kubeletStarts + "\n"; out.String() != want {
		t.Errorf("output %q, want %q", out.String(), want)
	}
}

// TestFilesThatComeLater has a node on which kubeadm says that the kubelet starts before it
// has written its kubeconfigs.
func TestFilesThatComeLater(t *testing.T) {
	broken := "would you kindly template this file {{"
	files := []map[string]string{
		{networkManifest: broken},
		{networkManifest: broken, adminConf: kubeadms},
	}
	c, n := started(t, 0, func(_ context.Context, _ string, _ command.Command) ([]byte, error) {
		now := files[0]
		files = files[1:]
		return archiveOf(t, now), nil
	})
	err := c.furnish(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "fill in the manifest of the pod network: ") {
		t.Errorf("error %v", err)
	}
	if len(n.calls) != 2 {
		t.Errorf("files were read %d times, want 2", len(n.calls))
	}
	got, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if got.CurrentContext != "kind-a" || got.Clusters["kind-a"].Server != "https://127.0.0.1:41000" ||
		string(got.Clusters["kind-a"].CertificateAuthorityData) != "CA" || string(got.AuthInfos["kind-a"].ClientKeyData) != "KEY" {
		t.Errorf("kubeconfig %+v", got)
	}
	// Until Kubernetes has started nobody is to ask for evidence by it.
	if c.REST != nil {
		t.Errorf("client configuration %+v before the API server answered", c.REST)
	}
	if err := c.connect(); err != nil {
		t.Fatal(err)
	}
	if c.REST == nil || c.REST.Host != "https://127.0.0.1:41000" || c.REST.QPS != 200 {
		t.Errorf("client configuration %+v", c.REST)
	}
}

func TestFilesOfANode(t *testing.T) {
	answer := archiveOf(t, map[string]string{"etc/x": "1", "kind/y": "22"})
	c, _ := started(t, 0, func(context.Context, string, command.Command) ([]byte, error) { return answer, nil })
	got, err := c.readFiles(t.Context(), "etc/x", "kind/y", "none")
	if want := map[string][]byte{"etc/x": []byte("1"), "kind/y": []byte("22")}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("files %q, %v", got, err)
	}
	answer = answer[:300]
	if _, err := c.readFiles(t.Context(), "etc/x"); err == nil || err.Error() != "read files of node a-control-plane: unexpected EOF" {
		t.Errorf("error %v", err)
	}
}

// TestAsk runs the script that nodes run, against a server of this process.
func TestAsk(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := "not yet"
		if asked.Add(1) == 3 && r.URL.Path == "/x" {
			answer = "it is me"
		}
		_, _ = w.Write([]byte(answer))
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	run := func(contains string) (string, error) {
		out, err := exec.CommandContext(t.Context(), bash, "-c", ask, host, port, "/x", contains).CombinedOutput()
		return string(out), err
	}
	if out, err := run("is me"); err != nil || out != "" {
		t.Errorf("output %q, %v", out, err)
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
	if out, err := run("is me"); err == nil || !strings.HasPrefix(out, "no or another answer: HTTP/1.0 200 OK") {
		t.Errorf("output %q, %v", out, err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	<-served
}
