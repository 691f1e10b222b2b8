package scaffold

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The files that know all suites.
const (
	suitesFile  = infrastructureFolder + "/suites.go"
	portsFile   = infrastructureFolder + "/ports.go"
	targetsFile = "magefiles/e2e.go"
)

// register makes the suite known: to the list of suites, the table of ports, and the
// targets.
func (o Options) register() ([]change, error) {
	title := o.title()
	var all []change
	for _, r := range []struct {
		file   string
		extend func(src []byte) ([]byte, error)
	}{
		{suitesFile, func(src []byte) ([]byte, error) {
			return extendList(src, "All", title+"()")
		}},
		{portsFile, func(src []byte) ([]byte, error) {
			src, err := extendConstants(src, "Ports", fmt.Sprintf("Port%[1]s int32 = %[2]d\nPort%[1]sMetrics int32 = %[3]d\n", title, o.Port, o.MetricsPort))
			if err != nil {
				return nil, err
			}
			const row = `{Service: %q, Name: %q, NodePort: Port%s}`
			return extendList(src, "Ports", fmt.Sprintf(row, o.Name, "http", title), fmt.Sprintf(row, o.Name, "metrics", title+"Metrics"))
		}},
		{targetsFile, func(src []byte) ([]byte, error) {
			return fmt.Appendf(src, `
// %[1]s tests %[1]s in a real cluster, with coverage, and leaves nothing behind.
//
// Example: KEEP_CLUSTER=1 mage e2e:%[2]s
func (E2E) %[1]s(ctx context.Context) error {
	return failed("e2e:%[2]s", infrastructure.EndToEnd(ctx, %[2]q))
}
`, title, o.Name), nil
		}},
	} {
		before, err := os.ReadFile(filepath.Join(o.Root, filepath.FromSlash(r.file)))
		if err != nil {
			return nil, err
		}
		after, err := r.extend(slices.Clone(before))
		if err == nil {
			after, err = format.Source(after)
		}
		if err != nil {
			return nil, fmt.Errorf("extend %s: %w", r.file, err)
		}
		all = append(all, change{name: r.file, before: before, after: after})
	}
	return all, nil
}

// extendList adds elements to the end of the list that a function returns.
func extendList(src []byte, function string, elements ...string) ([]byte, error) {
	fset := token.NewFileSet()
	file, list, err := returnedList(fset, src, function)
	if err != nil {
		return nil, err
	}
	end, text := list.Rbrace, strings.Join(elements, ",\n")+",\n"
	if n := len(list.Elts); n > 0 && fset.Position(list.Elts[n-1].End()).Line == fset.Position(end).Line {
		text = ", " + strings.Join(elements, ", ")
	}
	return slices.Insert(src, int(end-file.FileStart), []byte(text)...), nil
}

// extendConstants adds text to the group of constants that the list which a function
// returns is made of.
func extendConstants(src []byte, function, text string) ([]byte, error) {
	file, list, err := returnedList(token.NewFileSet(), src, function)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	ast.Inspect(list, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			used[id.Name] = true
		}
		return true
	})
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST || !group.Rparen.IsValid() {
			continue
		}
		names := declared(&ast.File{Decls: []ast.Decl{group}})
		if slices.ContainsFunc(names, func(name string) bool { return used[name] }) {
			return slices.Insert(src, int(group.Rparen-file.FileStart), []byte("\n"+text)...), nil
		}
	}
	return nil, fmt.Errorf("no group of constants has those of func %s", function)
}

// returnedList finds the list that a function returns and does nothing else.
func returnedList(fset *token.FileSet, src []byte, function string) (*ast.File, *ast.CompositeLit, error) {
	file, err := parser.ParseFile(fset, "", src, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv != nil || f.Name.Name != function || len(f.Body.List) != 1 {
			continue
		}
		if r, ok := f.Body.List[0].(*ast.ReturnStmt); ok && len(r.Results) == 1 {
			if list, ok := r.Results[0].(*ast.CompositeLit); ok {
				return file, list, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("func %s does not just return a list", function)
}
