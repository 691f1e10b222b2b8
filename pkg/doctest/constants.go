package doctest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Constants returns the values of the exported text constants in a folder whose
// type has the name, or, if the name ends in *, whose own names begin so; sorted,
// each once. None is an error: the name is wrong then.
func Constants(folder, name string) ([]string, error) {
	source, err := load(folder)
	if err != nil {
		return nil, err
	}
	values := make(map[string]bool)
	for identifier, object := range source.info.Defs {
		found, ok := object.(*types.Const)
		if !ok || !identifier.IsExported() || found.Val().Kind() != constant.String {
			continue
		}
		prefix, byName := strings.CutSuffix(name, "*")
		named, _ := found.Type().(*types.Named)
		if byName && strings.HasPrefix(identifier.Name, prefix) || named != nil && named.Obj().Name() == name {
			values[constant.StringVal(found.Val())] = true
		}
	}
	return sorted(values, name, folder)
}

// Returns returns the texts that the function of a folder returns as constants,
// sorted, each once. None is an error.
func Returns(folder, function string) ([]string, error) {
	source, err := load(folder)
	if err != nil {
		return nil, err
	}
	values := make(map[string]bool)
	source.each(func(node ast.Node) bool {
		if declared, ok := node.(*ast.FuncDecl); ok {
			return declared.Name.Name == function
		}
		if returned, ok := node.(*ast.ReturnStmt); ok {
			for _, result := range returned.Results {
				source.collect(values, result)
			}
		}
		return true
	})
	return sorted(values, function, folder)
}

// Alarms returns the messages that the code of a folder logs as warnings and
// errors with log/slog, sorted, each once. None is no error.
func Alarms(folder string) ([]string, error) {
	source, err := load(folder)
	if err != nil {
		return nil, err
	}
	message := map[string]int{"Warn": 0, "Error": 0, "WarnContext": 1, "ErrorContext": 1}
	values := make(map[string]bool)
	source.each(func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if place, logs := message[method.Sel.Name]; logs && place < len(call.Args) {
			source.collect(values, call.Args[place])
		}
		return true
	})
	return slices.Sorted(maps.Keys(values)), nil
}

// source is the Go code of one folder without its tests. What it imports is not
// looked at: constants that are made of those of other packages have no value.
type source struct {
	files []*ast.File
	info  types.Info
}

func load(folder string) (*source, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	s := &source{info: types.Info{Defs: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(files, path, content, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, file)
	}
	if len(s.files) == 0 {
		return nil, fmt.Errorf("there is no Go code in %s", folder)
	}
	// The errors are all about what is imported.
	checker := types.Config{Error: func(error) {}, Importer: noImports{}}
	_, _ = checker.Check(folder, files, s.files, &s.info)
	return s, nil
}

func (s *source) each(visit func(ast.Node) bool) {
	for _, file := range s.files {
		ast.Inspect(file, visit)
	}
}

// collect adds the value of an expression that is a text constant.
func (s *source) collect(values map[string]bool, expression ast.Expr) {
	if value := s.info.Types[expression].Value; value != nil && value.Kind() == constant.String {
		values[constant.StringVal(value)] = true
	}
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) {
	return nil, errors.New("imports are not looked at")
}

func sorted(values map[string]bool, name, folder string) ([]string, error) {
	if len(values) == 0 {
		return nil, fmt.Errorf("%s gives no text constants in %s", name, folder)
	}
	return slices.Sorted(maps.Keys(values)), nil
}
