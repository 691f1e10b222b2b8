package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// adopting is the page for other repositories, which have the targets of package targets.
const adopting = "docs/how-to/adopt.md"

// mageOptions are those of mage itself that pages name, with how many values they take.
func mageOptions() map[string]int {
	return map[string]int{"-h": 0, "-install": 1, "-l": 0, "-t": 1, "-v": 0}
}

// TestEveryTargetExists looks at all that pages have mage do, in blocks and in the text.
func TestEveryTargetExists(t *testing.T) {
	ours, theirs := targets(t, "magefiles"), targets(t, "targets")
	// The suites that docs/how-to/add-a-suite.md adds.
	ours["e2e:shop"], ours["e2e:orders"], ours["e2e:labeller"] = target{}, target{}, target{}
	seen := 0
	for _, p := range pages(t) {
		all := ours
		if p.name == adopting {
			all = theirs
		}
		for text, line := range scripts(p) {
			for _, arguments := range invocations(t, text) {
				seen++
				if wrong := check(all, arguments); wrong != "" {
					t.Errorf("%s:%d: %q: %s", p.name, line, text, wrong)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d calls of mage were found", seen)
	}
}

// scripts are the commands of a page, in blocks and in the text, with their lines. Texts
// that leave something to the reader are left out.
func scripts(p page) map[string]int {
	all := map[string]int{}
	for _, b := range p.Blocks {
		if isShell(b.Language) {
			all[script(b.Text)] = b.Line
		}
	}
	for _, c := range p.Code {
		if !strings.ContainsAny(c.Text, "…<") {
			all[c.Text] = c.Line
		}
	}
	return all
}

// invocations are the arguments of each call of mage in a script.
func invocations(t *testing.T, text string) [][]string {
	t.Helper()
	all, err := statements(text)
	if err != nil {
		return nil // It is code, but not of a shell.
	}
	var found [][]string
	for _, s := range all {
		syntax.Walk(s, func(n syntax.Node) bool {
			call, ok := n.(*syntax.CallExpr)
			if !ok {
				return true
			}
			var words []string
			for _, w := range call.Args {
				words = append(words, printed(t, w))
			}
			for _, program := range []string{"mage ", "go tool mage ", "go run magefile.go "} {
				if rest, is := strings.CutPrefix(strings.Join(words, " "), program); is {
					found = append(found, strings.Fields(rest))
				}
			}
			return true
		})
	}
	return found
}

// check says what is wrong with the arguments of mage, or "".
func check(all map[string]target, arguments []string) string {
	for len(arguments) > 0 {
		name := arguments[0]
		arguments = arguments[1:]
		if values, option := mageOptions()[name]; option {
			arguments = arguments[min(values, len(arguments)):]
			continue
		}
		f, ok := all[strings.ToLower(name)]
		if !ok {
			return "there is no target " + name
		}
		options := map[string]bool{}
		for _, a := range f.arguments {
			if a.optional {
				options["-"+strings.ToLower(a.name)] = true
			} else if len(arguments) > 0 {
				arguments = arguments[1:]
			}
		}
		for len(arguments) > 0 && strings.HasPrefix(arguments[0], "-") {
			option, _, _ := strings.Cut(arguments[0], "=")
			if !options[option] {
				return name + " has no option " + option
			}
			arguments = arguments[1:]
		}
	}
	return ""
}

func TestCheckFindsWhatDoesNotExist(t *testing.T) {
	all := targets(t, "magefiles")
	for call, want := range map[string]string{
		"soak 10 -keepgoing": "", "-t 10m e2e:gateway": "", "down -all load": "", "status -json=true": "", "e2e:suite shop verify": "",
		"e2e:nothing": "there is no target e2e:nothing", "verify -all": "verify has no option -all", "soak ten down -json": "down has no option -json",
	} {
		if got := check(all, strings.Fields(call)); got != want {
			t.Errorf("%s: %q, want %q", call, got, want)
		}
	}
}

// TestEveryVariableIsRead wants each environment variable that a page names to stand in the
// sources as such.
func TestEveryVariableIsRead(t *testing.T) {
	known := variables(t)
	seen := map[string]bool{}
	for _, p := range pages(t) {
		text := read(t, p.name)
		for name, line := range named(p) {
			if strings.Contains(text, "$"+name+"/") {
				continue // It belongs to the example that goes on to use it.
			}
			seen[name] = true
			if !known[name] {
				t.Errorf("%s:%d: nothing reads %s", p.name, line, name)
			}
		}
	}
	if len(seen) < 30 {
		t.Errorf("only %d variables were found", len(seen))
	}
}

// named are the environment variables on a page with their lines: what is assigned, what has
// the form of one, and what the table of variables has.
func named(p page) map[string]int {
	all := map[string]int{}
	form := regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)
	for text, line := range scripts(p) {
		if form.MatchString(text) {
			all[text] = line
		}
		list, err := statements(text)
		if err != nil {
			continue
		}
		for _, s := range list {
			if call, ok := s.Cmd.(*syntax.CallExpr); ok {
				for _, a := range call.Assigns {
					if name := a.Name.Value; name == strings.ToUpper(name) {
						all[name] = line
					}
				}
			}
		}
	}
	for _, table := range p.Tables {
		for _, cell := range table.Column("Variable") {
			// "A_B, _C" stands for A_B and A_C.
			first, rest, _ := strings.Cut(cell, ", _")
			all[first] = 0
			for end := range strings.SplitSeq(rest, ", ") {
				if end != "" {
					all[first[:strings.LastIndex(first, "_")+1]+strings.TrimPrefix(end, "_")] = 0
				}
			}
		}
	}
	return all
}

// variables are the names in the sources that could be those of environment variables: whole
// texts of Go, and what Dockerfiles declare or set. KUBECONFIG is kubectl's and TOKEN is for
// the reader.
func variables(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{"KUBECONFIG": true, "TOKEN": true}
	set := regexp.MustCompile(`\b[A-Z][A-Z0-9_]+=|\bARG [A-Z][A-Z0-9_]+`)
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (name == "test/docs" || name != "." && strings.HasPrefix(entry.Name(), ".") || entry.Name() == "_artifacts") {
			return fs.SkipDir
		}
		switch path.Ext(name) {
		case ".Dockerfile":
			for _, word := range set.FindAllString(read(t, name), -1) {
				all[strings.TrimSuffix(strings.TrimPrefix(word, "ARG "), "=")] = true
			}
		case ".go":
			file, err := parser.ParseFile(token.NewFileSet(), name, read(t, name), parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
					value, _ := strconv.Unquote(text.Value)
					all[value] = true
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
