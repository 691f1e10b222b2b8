//go:build chaos

package chaos

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stranger is what belongs to somebody else: an image, a container and a kubeconfig.
type stranger struct{ image, container, home string }

// newStranger makes one. Its image has no layer and its container never ran: they are
// there to be left alone.
func newStranger(t *testing.T) stranger {
	t.Helper()
	s := stranger{"hybrid.local/gateway:somebody-else", "gateway-e2e-somebody-else-control-plane", t.TempDir()}
	build := exec.CommandContext(t.Context(), "docker", "import", "-", s.image)
	build.Stdin = strings.NewReader(strings.Repeat("\x00", 1024)) // An empty tar archive.
	for _, cmd := range []*exec.Cmd{
		build, exec.CommandContext(t.Context(), "docker", "create", "--name", s.container,
			"--label", "io.x-k8s.kind.cluster=gateway-e2e-somebody-else", "--label", "io.x-k8s.kind.role=control-plane", s.image, "/none"),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, args := range [][]string{{"rm", "--force", s.container}, {"image", "rm", s.image}} {
			if out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
	})
	if err := os.MkdirAll(filepath.Join(s.home, ".kube"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.kubeconfig(), []byte("current-context: production\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s stranger) kubeconfig() string { return filepath.Join(s.home, ".kube", "config") }

// hash is of all that belongs to the stranger.
func (s stranger) hash(t *testing.T) string {
	t.Helper()
	sum := sha256.New()
	for _, args := range [][]string{
		{"image", "inspect", s.image}, {"container", "inspect", s.container},
	} {
		out, err := exec.CommandContext(t.Context(), "docker", args...).Output()
		if err != nil {
			t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
		}
		sum.Write(out)
	}
	content, err := os.ReadFile(s.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	sum.Write(content)
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// TestNeighbours has four runs at once: two suites in two checkouts each. The node of one
// is killed. All pass, and none disturbs another or what is not of any run.
func TestNeighbours(t *testing.T) {
	other := newStranger(t)
	before, was := snapshot(t), other.hash(t)
	home := []string{"HOME=" + other.home}
	pipe, setting := newPipe(t)
	var runs []*run
	began := time.Now()
	for i := range 4 {
		s := newSite(t, filepath.Join(t.TempDir(), fmt.Sprintf("checkout-%d", i)))
		if i < 2 {
			s.Services = 1 // The second suite.
			s.declare(t, s.Suite())
			s.edit(t, "specs/specs_test.go", "HaveLen(2)", "HaveLen(1)")
		}
		env := append(goFolders(t), home...)
		if i == 3 {
			env = append(env, setting)
		}
		runs = append(runs, s.start(t, started{args: []string{"e2e"}, env: env}))
	}
	runs[3].awaitSpecs(pipe)
	docker(t, "kill", nodeOf(t, runs[3].cmd.Dir))
	runs[3].await(anew)
	free(t, pipe)
	runs[3].awaitSpecs(pipe)
	for i, r := range runs {
		if code := r.end(4 * reachable); code != 0 {
			t.Errorf("run %d ended with %d, want 0", i, code)
		}
		if again := strings.Contains(r.printed(), anew); again != (i == 3) {
			t.Errorf("the cluster of run %d was made anew: %t", i, again)
		}
	}
	for _, r := range runs {
		r.leavesNothing(before)
	}
	if now := other.hash(t); now != was {
		t.Error("what belongs to somebody else has changed")
	}
	note(row{fault: "four runs at once, the node of one killed", place: "all", exit: 0, told: "each passes", gone: time.Since(began), left: "nothing"})
}
