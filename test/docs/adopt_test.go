package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/pkg/doctest"
)

// root is this repository as tests of this package see it.
const root = "../.."

// TestAdoptShowsTheExample finds every block of the page that is no command in a file of the
// example, and two of them are whole files.
func TestAdoptShowsTheExample(t *testing.T) {
	page, err := doctest.Read(filepath.Join(root, "docs", "how-to", "adopt.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, name := range []string{"go.mod", "magefile.go", "hybrid.yaml", "specs/greeter_test.go"} {
		shown[name] = unindented(read(t, filepath.Join("examples", "adopt", name)))
	}
	var found []string
	for _, block := range page.Blocks {
		if block.Language == "sh" {
			continue
		}
		file := ""
		for name, text := range shown {
			if strings.Contains(text, unindented(block.Text)) {
				file = name
			}
		}
		if file == "" {
			t.Errorf("line %d: no file of the example has\n%s", block.Line, block.Text)
		}
		if whole := file == "magefile.go" || file == "hybrid.yaml"; whole && unindented(block.Text) != shown[file] {
			t.Errorf("line %d is not the whole of %s", block.Line, file)
		}
		found = append(found, file)
	}
	if want := []string{"go.mod", "magefile.go", "hybrid.yaml", "specs/greeter_test.go"}; !slices.Equal(found, want) {
		t.Errorf("the page shows %q, want %q", found, want)
	}
}

// unindented takes tabs from the beginning of lines: a part of a file stands further left on
// a page. YAML is indented by spaces, which stay.
func unindented(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimLeft(line, "\t"))
	}
	return strings.Join(lines, "")
}

// read gives a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
