package speed

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// frameworkOf calls a script in kind's place, which notes what it was given. It returns
// what reads the notes.
func frameworkOf(t *testing.T, script string) (*framework, func() string) {
	t.Helper()
	// The framework keeps files in the folder for temporary ones, which is to be empty.
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	program, notes := filepath.Join(t.TempDir(), "program"), filepath.Join(t.TempDir(), "notes")
	text := "#!/bin/sh\necho \"$KUBECONFIG $TMPDIR $KIND_EXPERIMENTAL_PROVIDER: $*\" >>" + notes + "\n" + script
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := (&stage{root: "/checkout", node: "node:1"}).peer("framework", "", scenarioUnchanged).frameworkWith(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
		left, err := os.ReadDir(temporary)
		if err != nil || len(left) > 0 {
			t.Errorf("left are %v, %v", left, err)
		}
	})
	return f, func() string {
		text, err := os.ReadFile(notes)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(strings.ReplaceAll(string(text), f.dir, "DIR"), f.name, "NAME")
	}
}

const wantKindCalls = "DIR/kubeconfig DIR docker: get clusters\n" +
	"DIR/kubeconfig DIR docker: create cluster --name NAME --config DIR/cluster.yaml\n" +
	"DIR/kubeconfig DIR docker: delete cluster --name NAME\n"

func notUsed(context.Context, *envconf.Config) error { return errors.New("used") }

func TestFrameworkDeletesTheClusterThatFailed(t *testing.T) {
	f, notes := frameworkOf(t, "test \"$1\" != create || { echo no node; exit 1; }\n")
	kubeconfig := filepath.Join(filepath.Dir(f.dir), "kind-cluster-"+f.name+"-kubecfg123")
	if err := os.WriteFile(kubeconfig, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := f.withCluster(t.Context(), io.Discard, nil, notUsed)
	want := `kind: failed to create cluster "` + f.name + `": exit status 1: exit status 1: no node` + "\n"
	if err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if got := notes(); got != wantKindCalls {
		t.Errorf("calls\n%s\nwant\n%s", got, wantKindCalls)
	}
}

func TestFrameworkDeletesTheClusterWhenCancelled(t *testing.T) {
	f, notes := frameworkOf(t, "test \"$1\" != create || { echo >\"$TMPDIR/began\"; exec sleep 60; }\n")
	began := filepath.Join(f.dir, "began")
	if err := syscall.Mkfifo(began, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	go func() {
		_, err := os.ReadFile(began)
		cancel(errors.Join(cause, err))
	}()
	if err := f.withCluster(ctx, io.Discard, nil, notUsed); !errors.Is(err, cause) || err.Error() != "enough" {
		t.Errorf("error %v", err)
	}
	if got := notes(); got != wantKindCalls {
		t.Errorf("calls\n%s\nwant\n%s", got, wantKindCalls)
	}
}

func TestPlainConfigIsAFileForKind(t *testing.T) {
	s := &stage{node: "node:1", failCgroupV1: true}
	got, err := yaml.Marshal(s.plainConfig([]v1alpha4.PortMapping{{ContainerPort: 30080, HostPort: 1234, ListenAddress: "127.0.0.1"}}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
kubeadmConfigPatches:
- |
  kind: KubeletConfiguration
  failCgroupV1: false
networking:
  kubeProxyMode: iptables
nodes:
- extraPortMappings:
  - containerPort: 30080
    hostPort: 1234
    listenAddress: 127.0.0.1
  image: node:1
  role: control-plane
`
	if string(got) != want {
		t.Errorf("config\n%s\nwant\n%s", got, want)
	}
}

func TestFrameworkGetsTheScriptsSecrets(t *testing.T) {
	got, err := yaml.Marshal(secret(hybrid.Secret{Name: "auth", Fixed: map[string]string{"username": "audit"}, Random: []string{"password"}}, "n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `metadata:
  name: auth
  namespace: "n"
stringData:
  password: 0123456789abcdef0123456789abcdef
  username: audit
`
	if string(got) != want {
		t.Errorf("secret\n%s\nwant\n%s", got, want)
	}
}
