package verify

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// dockerfile is a parsed Dockerfile with the base of every stage resolved.
type dockerfile struct {
	path   string
	stages []stage
	// globals are the ARGs before the first FROM with their defaults.
	globals map[string]string
}

// stage is one FROM with what follows.
type stage struct {
	instructions.Stage

	// base is the reference after expansion by the ARG defaults.
	base string
	// inherits says that base is an earlier stage of the same file, or scratch.
	inherits bool
	line     int
}

func (s *sources) addDockerfile(path string, content []byte) {
	result, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		s.addBroken(path, errorLine(err), err)
		return
	}
	stages, args, err := instructions.Parse(result.AST, nil)
	if err != nil {
		s.addBroken(path, errorLine(err), err)
		return
	}
	if len(stages) == 0 {
		s.addBroken(path, 0, errors.New("the file has no FROM"))
		return
	}
	d := dockerfile{path: path, globals: map[string]string{}}
	platform := map[string]string{"BUILDPLATFORM": "linux/amd64", "TARGETPLATFORM": "linux/amd64"}
	for _, command := range args {
		for _, arg := range command.Args {
			if arg.Value != nil {
				d.globals[arg.Key] = expandWord(*arg.Value, d.globals)
			}
		}
	}
	names := map[string]bool{"scratch": true}
	for _, parsed := range stages {
		base := expandWord(parsed.BaseName, d.globals, platform)
		st := stage{Stage: parsed, base: base, inherits: names[strings.ToLower(base)]}
		if len(parsed.Location) > 0 {
			st.line = parsed.Location[0].Start.Line
		}
		d.stages = append(d.stages, st)
		if parsed.Name != "" {
			names[strings.ToLower(parsed.Name)] = true
		}
	}
	s.dockerfiles = append(s.dockerfiles, d)
}

// errorLine finds where a Dockerfile is broken; 0 when the parser does not say.
func errorLine(err error) int {
	var located *parser.LocationError
	if errors.As(err, &located) && len(located.Locations) > 0 && len(located.Locations[0]) > 0 {
		return located.Locations[0][0].Start.Line
	}
	return 0
}

// expandWord replaces variables as BuildKit does, those of later maps winning.
// A word that BuildKit would refuse stays as it is.
func expandWord(word string, envs ...map[string]string) string {
	var list []string
	for _, env := range envs {
		for k, v := range env {
			list = append(list, k+"="+v)
		}
	}
	expanded, _, err := shell.NewLex('\\').ProcessWord(word, shell.EnvsFromSlice(list))
	if err != nil {
		return word
	}
	return expanded
}

// environment gives the variables that the i-th command of the stage sees, and
// the names of those that a build argument can change. Values in override
// stand for arguments given on the command line.
func (d dockerfile) environment(st stage, i int, override map[string]string) (env map[string]string, args []string) {
	env = map[string]string{}
	for _, command := range st.Commands[:i] {
		switch c := command.(type) {
		case *instructions.ArgCommand:
			for _, arg := range c.Args {
				args = append(args, arg.Key)
				if value, ok := d.argument(arg, env, override); ok {
					env[arg.Key] = value
				}
			}
		case *instructions.EnvCommand:
			for _, pair := range c.Env {
				env[pair.Key] = expandWord(pair.Value, env)
			}
		}
	}
	slices.Sort(args)
	return env, slices.Compact(args)
}

func (d dockerfile) argument(arg instructions.KeyValuePairOptional, env, override map[string]string) (string, bool) {
	if value, ok := override[arg.Key]; ok {
		return value, true
	}
	if arg.Value != nil {
		return expandWord(*arg.Value, env), true
	}
	value, ok := d.globals[arg.Key]
	return value, ok
}

// shellOptions are the flags of the shell that the i-th command runs in, such
// as "-o", "pipefail".
func (st stage) shellOptions(i int) []string {
	var options []string
	for _, command := range st.Commands[:i] {
		if c, ok := command.(*instructions.ShellCommand); ok && len(c.Shell) > 0 {
			options = slices.DeleteFunc(slices.Clone(c.Shell[1:]), func(s string) bool { return s == "-c" })
		}
	}
	return options
}

// ubiName is an element of a repository path that names a Universal Base Image,
// such as ubi9 or ubi9-minimal.
var ubiName = regexp.MustCompile(`^ubi[0-9]`)

// fromUBI tells whether the stage starts from a UBI image itself, not from an
// earlier stage that did.
func (st stage) fromUBI() bool {
	if st.inherits {
		return false
	}
	ref, err := name.ParseReference(st.base)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(strings.Split(ref.Context().RepositoryStr(), "/"), ubiName.MatchString)
}

// commandLine is the line of a command in its file.
func commandLine(c instructions.Command) int {
	if at := c.Location(); len(at) > 0 {
		return at[0].Start.Line
	}
	return 0
}
