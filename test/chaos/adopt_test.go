//go:build chaos

package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/test/sample"
)

// adopted bounds the run of the example, which compiles its targets and specs first.
const adopted = 10 * time.Minute

// TestAdopt runs the example of docs/how-to/adopt.md, from a folder of its own, to its end.
// Its images stay: others may be making some at the same time, and the keys are the same in
// the next run of the checkout.
func TestAdopt(t *testing.T) {
	s := &site{sample.Repository{Name: "adopt", Dir: filepath.Join(t.TempDir(), "adopt")}}
	if err := os.CopyFS(s.Dir, os.DirFS(filepath.Join(root, "examples", "adopt"))); err != nil {
		t.Fatal(err)
	}
	// What runs by hand have left stays where it is.
	for _, folder := range []string{"_artifacts", ".hybrid"} {
		if err := os.RemoveAll(filepath.Join(s.Dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-require="+module+"@v0.0.0", "-replace="+module+"="+here)
	cmd.Dir = s.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := s.start(t, started{args: []string{"e2e"}})
	if code := r.end(adopted); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, line := range []string{"1 passed, 0 failed, 0 skipped", "cluster.delete"} {
		if !strings.Contains(r.printed(), line) {
			t.Errorf("it never printed %q:\n%s", line, r.printed())
		}
	}
	s.everyDay(t)
}

// everyDay keeps a cluster, works in it as docs/how-to/run-one-spec.md says, and deletes it.
func (s *site) everyDay(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		// A trial that failed leaves no cluster either; its specs' log tells why.
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(s.Dir, "_artifacts", "latest", "logs", "specs.greeter.log"))
			t.Logf("specs:\n%s", text)
		}
		if code := s.start(t, started{args: []string{"down"}}).end(adopted); code != 0 {
			t.Errorf("mage down: exit code %d", code)
		}
	})
	for _, step := range []struct{ command, prints string }{
		{"mage deploy", "deploy.answers"},
		{"HYBRID_ENVIRONMENT=$PWD/_artifacts/latest/environment.json go tool ginkgo --focus 'greets' ./specs", "1 Passed"},
		{"KEEP_CLUSTER=1 FOCUS='greets' mage e2e", "1 passed, 0 failed, 0 skipped"},
		{"KEEP_CLUSTER=1 LABELS='smoke || slow' mage e2e", "1 passed, 0 failed, 0 skipped"},
		{"KUBECONFIG=$PWD/.hybrid/greeter/kubeconfig kubectl get pods -A", "greeter"},
		{`jq -r '.phases[] | .name as $p | .tasks[] | [.end-.start, $p, .name, .outcome] | @tsv' _artifacts/latest/timeline.json | sort -rn | head`, "specs.greeter"},
		{"mage status", "(this one)"},
		{"mage down", "deleted greeter-e2e-"},
	} {
		// A shell of which mage is that of this repository.
		r := s.start(t, started{program: "sh", args: []string{"-c", step.command}, env: []string{"PATH=" + filepath.Dir(mage(t)) + ":" + os.Getenv("PATH")}})
		if code := r.end(adopted); code != 0 || !strings.Contains(r.printed(), step.prints) {
			t.Fatalf("%s: exit code %d, want 0 and %q in\n%s", step.command, code, step.prints, r.printed())
		}
	}
}
