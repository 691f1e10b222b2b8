package infrastructure

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// targets gives the documentation of the functions in magefiles that are targets, by the
// names that mage gives them.
func targets(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../magefiles/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			target := f.Name.Name
			if f.Recv != nil {
				target = f.Recv.List[0].Type.(*ast.Ident).Name + ":" + target
			}
			found[strings.ToLower(target)] = f.Doc.Text()
		}
	}
	return found
}

// What the shell completes is every target, and nothing else.
func TestCompletionKnowsTheTargets(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "tool", "mage", "-autocomplete")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Fields(string(out)), slices.Sorted(maps.Keys(targets(t)))
	if !slices.Equal(got, want) {
		t.Errorf("it completes\n%q\nwant\n%q", got, want)
	}
}

// `mage -h <target>` says in a sentence what the target does, and ends with an example,
// whose variables are documented.
func TestTargetsHaveAnExample(t *testing.T) {
	pages := pages(t)
	example := regexp.MustCompile(`(?m)^Example: ((?:[A-Z_]+=\S+ )*)mage (?:-v )?(\S+)(?: \S+)*$`)
	for target, text := range targets(t) {
		m := example.FindStringSubmatch(text)
		if m == nil || m[2] != target || !strings.HasSuffix(text, m[0]+"\n") {
			t.Errorf("the help of %s does not end with an example:\n%s", target, text)
			continue
		}
		if synopsis := new(doc.Package).Synopsis(text); len(synopsis) < 20 || len(synopsis) > 120 {
			t.Errorf("%s: a sentence of %d characters: %s", target, len(synopsis), synopsis)
		}
		for assignment := range strings.FieldsSeq(m[1]) {
			if name, _, _ := strings.Cut(assignment, "="); !strings.Contains(pages, "`"+name+"`") {
				t.Errorf("%s: no page explains %s", target, name)
			}
		}
	}
}

// pages are the README and everything in docs.
func pages(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	err = filepath.WalkDir("../../docs", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".md" {
			return err
		}
		content, err := os.ReadFile(name)
		text += string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
