//go:build chaos

package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
	"github.com/hybrid-e2e/hybrid/test/sample"
)

// adopted bounds the run of the example, which compiles its targets and specs first.
const adopted = 10 * time.Minute

// TestAdopt runs the example of docs/how-to/adopt.md, from a folder of its own, to its end.
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
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-replace="+module+"="+here)
	cmd.Dir = s.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	images := func() []string {
		return append(references(t, load.PreloadedName), references(t, image.Registry+"/greeter")...)
	}
	before := images()
	t.Cleanup(func() { removeImages(t, images(), before) })
	r := s.start(t, started{args: []string{"e2e"}})
	if code := r.end(adopted); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, line := range []string{"1 passed, 0 failed, 0 skipped", "cluster.delete"} {
		if !strings.Contains(r.printed(), line) {
			t.Errorf("it never printed %q:\n%s", line, r.printed())
		}
	}
}
