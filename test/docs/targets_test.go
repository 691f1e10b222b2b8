package docs

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// target is a function that mage has as a target.
type target struct {
	doc       string
	arguments []argument
}

// argument is what a target takes on the command line: an option when it is optional.
type argument struct {
	name     string
	optional bool
}

// targets are those of a folder, by the names that mage gives them, in small letters.
func targets(t *testing.T, folder string) map[string]target {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	all := map[string]target{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range source.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				name = f.Recv.List[0].Type.(*ast.Ident).Name + ":" + name
			}
			all[strings.ToLower(name)] = target{doc: f.Doc.Text(), arguments: arguments(f)}
		}
	}
	return all
}

// arguments are those of a target but its context.
func arguments(f *ast.FuncDecl) []argument {
	var all []argument
	for _, field := range f.Type.Params.List {
		if _, isContext := field.Type.(*ast.SelectorExpr); isContext {
			continue
		}
		_, optional := field.Type.(*ast.StarExpr)
		for _, name := range field.Names {
			all = append(all, argument{name.Name, optional})
		}
	}
	return all
}

// What the shell completes is every target, and nothing else.
func TestCompletionKnowsTheTargets(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "tool", "mage", "-autocomplete")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Fields(string(out)), slices.Sorted(maps.Keys(targets(t, "magefiles")))
	if !slices.Equal(got, want) {
		t.Errorf("it completes\n%q\nwant\n%q", got, want)
	}
}

// `mage -h <target>` says in a sentence what the target does, and ends with an example that
// can be called, whose variables a page explains.
func TestTargetsHaveAnExample(t *testing.T) {
	var explained strings.Builder
	for _, p := range pages(t) {
		explained.WriteString(read(t, p.name))
	}
	all := targets(t, "magefiles")
	example := regexp.MustCompile(`(?m)^Example: ((?:[A-Z_]+=\S+ )*)mage (\S.*)$`)
	for name, target := range all {
		m := example.FindStringSubmatch(target.doc)
		if m == nil || !strings.HasSuffix(target.doc, m[0]+"\n") || !slices.Contains(strings.Fields(m[2]), name) {
			t.Errorf("the help of %s does not end with an example:\n%s", name, target.doc)
			continue
		}
		if wrong := check(all, strings.Fields(m[2])); wrong != "" {
			t.Errorf("the example of %s: %s", name, wrong)
		}
		if synopsis := new(doc.Package).Synopsis(target.doc); len(synopsis) < 20 || len(synopsis) > 120 {
			t.Errorf("%s: a sentence of %d characters: %s", name, len(synopsis), synopsis)
		}
		for assignment := range strings.FieldsSeq(m[1]) {
			if variable, _, _ := strings.Cut(assignment, "="); !strings.Contains(explained.String(), "`"+variable+"`") {
				t.Errorf("%s: no page explains %s", name, variable)
			}
		}
	}
}
