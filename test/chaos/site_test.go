package chaos

import (
	"context"
	"crypto/rand"
	_ "embed" // The template below.
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
	"github.com/hybrid-e2e/hybrid/test/sample"
)

//go:embed repository.txtar
var repositoryTemplate string

const (
	// root is this repository as tests of this package see it.
	root = "../.."
	// module is that of this repository.
	module = "github.com/hybrid-e2e/hybrid"
	// services is how many a trial has, unless it says otherwise.
	services = 2
)

// site is a generated repository in which trials run.
type site struct{ sample.Repository }

// newSite generates one in the folder dir.
func newSite(t *testing.T, dir string) *site {
	t.Helper()
	s := &site{sample.Repository{Name: "chaos", Dir: dir, Services: services, Token: strings.ToLower(rand.Text()[:8])}}
	if err := s.Generate(root); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(repositoryTemplate, nil); err != nil {
		t.Fatal(err)
	}
	s.declare(t, s.Suite())
	s.requireHybrid(t)
	before := references(t, load.PreloadedName)
	t.Cleanup(func() { s.forget(t, before) })
	return s
}

// declare writes the suite down for the targets.
func (s *site) declare(t *testing.T, suite hybrid.Suite) {
	t.Helper()
	content, err := json.Marshal(suite)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "suite.json", content)
}

// requireHybrid has the module use Hybrid as it is in this checkout, and the tools and
// modules that it uses.
func (s *site) requireHybrid(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse("go.mod", content, nil)
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{
		file.AddModuleStmt("hybrid.test/" + s.Name), file.AddRequire(module, "v0.0.0"), file.AddReplace(module, "", here, ""),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	changed, err := file.Format()
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "go.mod", changed)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "go.sum", sums)
}

// mage is the program of the version that this repository uses, installed as its users
// have it: `go tool` would stand between signals and it.
func mage(t *testing.T) string {
	t.Helper()
	program, err := builtMage()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// builtMage is built once for all tests.
var builtMage = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mage-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "mage")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", program, "github.com/magefile/mage")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mage: %w\n%s", err, out)
	}
	return program, nil
})

// write replaces a file of the repository.
func (s *site) write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// edit replaces old in a file of the repository, until the test is over.
func (s *site) edit(t *testing.T, name, old, with string) {
	t.Helper()
	before, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	after := strings.Replace(string(before), old, with, 1)
	if after == string(before) {
		t.Fatalf("%s has no %q", name, old)
	}
	s.write(t, name, []byte(after))
	t.Cleanup(func() { s.write(t, name, before) })
}

// references are those of the images of a repository that the engine has; without an
// engine there are none.
func references(t *testing.T, repository string) []string {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", "image", "ls",
		"--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference="+repository).Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}

// forget removes the images of the services, which nobody else has, and the node images
// that start with them: those that were not there before.
func (s *site) forget(t *testing.T, before []string) {
	t.Helper()
	refs := slices.DeleteFunc(references(t, load.PreloadedName), func(ref string) bool { return slices.Contains(before, ref) })
	refs = append(refs, references(t, image.Registry+"/"+s.ImagePrefix()+"-*")...)
	if len(refs) == 0 {
		return
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", append([]string{"image", "rm", "--no-prune"}, refs...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
