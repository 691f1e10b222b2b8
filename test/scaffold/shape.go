package scaffold

import (
	"bytes"
	_ "embed" // The templates below.
	"errors"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"text/template"

	"golang.org/x/mod/modfile"
	"golang.org/x/tools/txtar"

	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
)

//go:embed common.txtar
var commonTemplate string

//go:embed service.txtar
var serviceTemplate string

//go:embed controller.txtar
var controllerTemplate string

// values are what templates are filled in with.
type values struct {
	Options
	// Title is the name for people, Does what the service does, as the end of a
	// sentence that begins with it.
	Title, Does string
	// Module is the path in go.mod.
	Module string
	// Registry is the made-up one of the images; the others are their bases.
	Registry, GoToolset, UBIMinimal string
}

// files are those that are the suite's own.
func (o Options) files() ([]change, error) {
	mod, err := os.ReadFile(filepath.Join(o.Root, "go.mod"))
	if err != nil {
		return nil, err
	}
	v := values{
		Options: o, Title: o.title(), Does: "answers requests", Module: modfile.ModulePath(mod),
		Registry: image.Registry, GoToolset: offline.GoToolset, UBIMinimal: offline.UBIMinimal,
	}
	if v.Module == "" {
		return nil, errors.New("go.mod names no module")
	}
	shape := serviceTemplate
	if o.Controller {
		shape, v.Does = controllerTemplate, "notes which RemediationRequests it has seen"
	}
	var all []change
	for _, text := range []string{commonTemplate, shape} {
		files, err := v.fill(text)
		if err != nil {
			return nil, fmt.Errorf("fill a template of the suite in: %w", err)
		}
		all = append(all, files...)
	}
	return all, nil
}

// fill fills the template of an archive in, with its Go files in Go's format.
func (v values) fill(text string) ([]change, error) {
	t, err := template.New("").Parse(text)
	if err != nil {
		return nil, err
	}
	var filled bytes.Buffer
	if err := t.Execute(&filled, v); err != nil {
		return nil, err
	}
	var all []change
	for _, f := range txtar.Parse(filled.Bytes()).Files {
		if path.Ext(f.Name) == ".go" {
			parsed, err := parser.ParseFile(token.NewFileSet(), f.Name, f.Data, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			if err := v.unambiguous(parsed); err != nil {
				return nil, err
			}
			if f.Data, err = format.Source(f.Data); err != nil {
				return nil, err
			}
		}
		all = append(all, change{name: f.Name, after: f.Data})
	}
	return all, nil
}
