package image

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile is what the content key needs to know of a Dockerfile.
type dockerfile struct {
	content []byte
	// args are the names of all declared build arguments.
	args map[string]bool
	// sources are the paths copied from the build context, slash-separated and
	// cleaned; "." means all of it.
	sources []string
	// heads are what its stages do up to their security updates.
	heads []head
}

// readDockerfile parses a Dockerfile with BuildKit's own parser.
func readDockerfile(file string) (dockerfile, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return dockerfile{}, err
	}
	return parseDockerfile(file, content)
}

func parseDockerfile(file string, content []byte) (dockerfile, error) {
	d := dockerfile{content: content, args: map[string]bool{}}
	ast, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		return d, fmt.Errorf("%s: %w", file, err)
	}
	stages, global, err := instructions.Parse(ast.AST, nil)
	if err != nil {
		return d, fmt.Errorf("%s: %w", file, err)
	}
	d.declare(global)
	d.heads = heads(content, global, stages)
	for _, stage := range stages {
		for _, c := range stage.Commands {
			if err := d.see(c); err != nil {
				return d, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return d, nil
}

func (d *dockerfile) declare(args []instructions.ArgCommand) {
	for _, a := range args {
		for _, kv := range a.Args {
			d.args[kv.Key] = true
		}
	}
}

// see notes the arguments that an instruction declares and the context paths
// that it reads.
func (d *dockerfile) see(c instructions.Command) error {
	switch c := c.(type) {
	case *instructions.ArgCommand:
		d.declare([]instructions.ArgCommand{*c})
	case *instructions.CopyCommand:
		if c.From == "" {
			d.add(c.SourcePaths...)
		}
	case *instructions.AddCommand:
		for _, p := range c.SourcePaths {
			if !strings.Contains(p, "://") {
				d.add(p)
			}
		}
	case *instructions.RunCommand:
		// Mounts are parsed only when their variables are expanded; leaving the
		// variables as they are makes add see them.
		if err := c.Expand(func(word string) (string, error) { return word, nil }); err != nil {
			return err
		}
		for _, m := range instructions.GetMounts(c) {
			if m.Type == instructions.MountTypeBind && m.From == "" {
				d.add(m.Source)
			}
		}
	}
	return nil
}

func (d *dockerfile) add(paths ...string) {
	for _, p := range paths {
		clean := strings.TrimPrefix(path.Clean("/"+p), "/")
		if clean == "" || strings.Contains(p, "$") {
			// A path with a variable may name anything: take the whole context.
			clean = "."
		}
		d.sources = append(d.sources, clean)
	}
}
