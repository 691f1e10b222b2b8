package scaffold

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/verify"
)

// infrastructureFolder is where suites are declared.
const infrastructureFolder = "test/infrastructure"

// nameForm is that of a DNS label that is a Go package's name too. An endpoint is called
// name-metrics, and its 40 characters are all that a suite may use.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]{0,31}$`)

// checkName returns what is wrong with a name in itself, as the end of a sentence.
func checkName(name string) error {
	switch {
	case !nameForm.MatchString(name):
		return errors.New("is not 1 to 32 lower-case letters and digits that begin with a letter: " +
			"it becomes a Go package, a DNS label and an image")
	case token.IsKeyword(name), types.Universe.Lookup(name) != nil:
		return errors.New("is a word of the Go language")
	case slices.Contains([]string{"init", "internal", "main", "testdata", "vendor"}, name):
		return errors.New("has a meaning of its own for the go command")
	case slices.Contains(verify.VagueNames(), name):
		return errors.New("says nothing, as a package's name should")
	case slices.Contains([]string{"admin", "edit", "view"}, name):
		return errors.New("is that of a ClusterRole of every cluster")
	case name == "merged":
		return errors.New("is that of a folder of the coverage report")
	}
	return nil
}

// untaken refuses a name that something else has: a part of a suite, a declaration of
// the package in which suites are declared, a target.
func (o Options) untaken() error {
	for _, s := range o.Suites {
		parts := []string{s.Name}
		for _, i := range s.Images {
			parts = append(parts, i.Name)
		}
		for _, w := range s.Workloads {
			parts = append(parts, w.Name)
		}
		for _, e := range s.Endpoints {
			parts = append(parts, e.Name)
		}
		if slices.Contains(parts, o.Name) {
			return fmt.Errorf("the suite %s has the name %q already", s.Name, o.Name)
		}
	}
	sources, err := filepath.Glob(filepath.Join(o.Root, infrastructureFolder, "*.go"))
	if err != nil {
		return err
	}
	title := o.title()
	wanted := []string{
		title, "Endpoint" + title, "Endpoint" + title + "Metrics", "Port" + title, "Port" + title + "Metrics",
		"Setup" + title + "InfrastructureHybridWithCoverage",
	}
	for _, source := range append(sources, filepath.Join(o.Root, targetsFile)) {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, name := range declared(file) {
			if slices.Contains(wanted, name) {
				return fmt.Errorf("%s declares %s already", filepath.Base(source), name)
			}
		}
	}
	return nil
}

// title is the name as it begins an exported Go name, and as people read it.
func (o Options) title() string { return strings.ToUpper(o.Name[:1]) + o.Name[1:] }

// declared lists what a file declares outside of functions, methods among it: targets
// are some.
func declared(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			names = append(names, d.Name.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

// unambiguous wants a Go file that imports the service to use the service's name for
// nothing else.
func (o Options) unambiguous(file *ast.File) error {
	imports := 0
	for _, spec := range file.Imports {
		name := path.Base(strings.Trim(spec.Path.Value, `"`))
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == o.Name {
			imports++
		}
	}
	packages := map[*ast.Ident]bool{}
	other := false
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if id, ok := n.X.(*ast.Ident); ok {
				packages[id] = true
			}
			packages[n.Sel] = true
		case *ast.Ident:
			other = other || n.Name == o.Name && !packages[n] && n != file.Name
		}
		return true
	})
	if imports > 1 || imports == 1 && other {
		return fmt.Errorf("the name %q is used for something else in the sources that would be written", o.Name)
	}
	return nil
}
