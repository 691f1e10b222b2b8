package verify

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/hybrid-e2e/hybrid/hybrid/report"
)

// sources is the repository, parsed.
type sources struct {
	// module is the path in go.mod.
	module string

	goFiles     []goFile
	dockerfiles []dockerfile
	documents   []document
	// timeline is what the latest run recorded, nil when there is no such record.
	timeline *report.Timeline
	// broken tells of files that do not parse, in the order of the walk.
	broken []Finding
}

// goFile is one Go source file, tests and generated files included.
type goFile struct {
	path      string
	lines     int
	fset      *token.FileSet
	ast       *ast.File
	generated bool
	test      bool
}

// dir is the folder of the file, "." for the root.
func (f goFile) dir() string { return path.Dir(f.path) }

// below tells whether the file lies in folder or deeper.
func (f goFile) below(folder string) bool { return strings.HasPrefix(f.path, folder+"/") }

func (f goFile) line(n ast.Node) int { return f.fset.Position(n.Pos()).Line }

// importName gives the name under which the file knows the package at
// importPath: "." for a dot import, empty when it does not import it.
func (f goFile) importName(importPath string) string {
	for _, spec := range f.ast.Imports {
		if unquote(spec.Path) != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		base := path.Base(importPath)
		if _, err := strconv.Atoi(strings.TrimPrefix(base, "v")); err == nil {
			base = path.Base(path.Dir(importPath))
		}
		return base
	}
	return ""
}

// unquote gives the value of a string literal, empty for any other node.
func unquote(n ast.Node) string {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	value, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return value
}

// isPackageMember tells whether n is pkg.name; a pkg of "." stands for a dot
// import, so that the bare name is meant.
func isPackageMember(n ast.Node, pkg, name string) bool {
	if pkg == "." {
		id, ok := n.(*ast.Ident)
		return ok && id.Name == name
	}
	sel, ok := n.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == pkg
}

// load reads and parses everything in the folder that a rule looks at.
func load(ctx context.Context, folder string) (*sources, error) {
	// A missing folder is another mistake than a missing go.mod in it.
	if _, err := os.Stat(folder); err != nil {
		return nil, err
	}
	return parse(ctx, os.DirFS(folder))
}

// parse reads a repository. Folders that the go command ignores as well (hidden ones, _
// prefix, testdata) hold fixtures and what runs left, and are left out; of the latter the
// timeline of the latest run is read.
func parse(ctx context.Context, root fs.FS) (*sources, error) {
	src := &sources{}
	mod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, err
	}
	if src.module = modfile.ModulePath(mod); src.module == "" {
		return nil, errors.New("go.mod names no module")
	}
	if err := src.addTimeline(root); err != nil {
		return nil, err
	}
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if entry.IsDir() {
			if name != "." && ignoredFolder(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		return src.add(root, name)
	})
	if err != nil {
		return nil, err
	}
	return src, nil
}

func ignoredFolder(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
		name == "testdata" || name == "vendor" || name == "node_modules"
}

func (s *sources) add(root fs.FS, name string) error {
	var parse func(name string, content []byte)
	switch base := path.Base(name); {
	case path.Ext(base) == ".go":
		parse = s.addGo
	case path.Ext(base) == ".dockerignore":
		return nil
	case base == "Dockerfile", path.Ext(base) == ".Dockerfile", strings.HasPrefix(base, "Dockerfile."):
		parse = s.addDockerfile
	case strings.HasPrefix(name, manifestsFolder+"/") && (path.Ext(base) == ".yaml" || path.Ext(base) == ".yml"):
		parse = s.addManifest
	default:
		return nil
	}
	content, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	parse(name, content)
	return nil
}

func (s *sources) addGo(name string, content []byte) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		if list, ok := errors.AsType[scanner.ErrorList](err); ok {
			s.addBroken(name, list[0].Pos.Line, errors.New(list[0].Msg))
		} else {
			s.addBroken(name, 0, err)
		}
		return
	}
	s.goFiles = append(s.goFiles, goFile{
		path:      name,
		lines:     strings.Count(string(content), "\n"),
		fset:      fset,
		ast:       file,
		generated: ast.IsGenerated(file),
		test:      strings.HasSuffix(name, "_test.go"),
	})
}

func (s *sources) addBroken(name string, line int, err error) {
	s.broken = append(s.broken, Finding{File: name, Line: line, Message: err.Error()})
}

func checkParses(p *pass) {
	for _, f := range p.src.broken {
		p.addf(f.File, f.Line, "%s", f.Message)
	}
}
