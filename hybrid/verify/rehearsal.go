package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

const (
	// maxCommands bounds a rehearsal, because a loop that waits for a command's
	// effect never ends when the command has none.
	maxCommands = 1000
	// maxRehearsal bounds loops that run no command at all.
	maxRehearsal = 2 * time.Second
	// maxValues bounds how many values are tried for one build argument.
	maxValues = 64
)

// errEndless is the result of a script that the rehearsal had to stop.
var errEndless = errors.New("the script runs in circles when its commands have no effect")

// script is the text of a RUN instruction that can be rehearsed: interpreted
// with every external command replaced by one that only notes its arguments.
// That answers, with the shell's own rules, which commands run and whether a
// failure of one fails the build, however the script is written.
type script struct {
	// argv is set for the exec form, file for the shell form.
	argv []string
	file *syntax.File
	// options are the shell's flags.
	options []string
}

func newScript(run *instructions.RunCommand, options []string) (script, error) {
	if !run.PrependShell {
		return script{argv: run.CmdLine}, nil
	}
	text := strings.Join(run.CmdLine, " ")
	if len(run.Files) > 0 {
		if strings.HasPrefix(text, "<<") {
			text = run.Files[0].Data
		} else {
			for _, f := range run.Files {
				text += "\n" + f.Data + f.Name
			}
		}
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "RUN")
	if err != nil {
		return script{}, fmt.Errorf("the shell script does not parse: %w", err)
	}
	return script{file: file, options: options}, nil
}

// rehearse runs the script in env and gives the commands that would have been
// started. Those for which fails is true exit with code 1, all others with 0.
// The error is errEndless, or an exit code other than 0.
func (s script) rehearse(ctx context.Context, env map[string]string, fails func(argv []string) bool) ([][]string, error) {
	log := &callLog{fails: fails}
	if s.file == nil {
		return [][]string{s.argv}, log.start(s.argv)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxRehearsal, errEndless)
	defer cancel()
	runner, err := interp.New(append(sandbox(log.start), interp.Env(environ(env)), interp.Params(s.options...))...)
	if err != nil {
		return nil, fmt.Errorf("the shell options %q are not understood: %w", s.options, err)
	}
	err = runner.Run(ctx, s.file)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	// Commands in the background count for what they run, not for how they end:
	// the shell that started them does not wait either.
	wait := &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: "wait"}}}
	_ = runner.Run(ctx, &syntax.CallExpr{Args: []*syntax.Word{wait}})
	return log.calls, err
}

// callLog notes the commands of one rehearsal. The two ends of a pipe are
// interpreted at the same time.
type callLog struct {
	fails func(argv []string) bool

	mu    sync.Mutex
	calls [][]string
}

func (l *callLog) start(argv []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) == maxCommands {
		return errEndless
	}
	l.calls = append(l.calls, slices.Clone(argv))
	if l.fails(argv) {
		return interp.ExitStatus(1)
	}
	return nil
}

// sandbox gives the interpreter a world in which every file exists and is empty
// and every command is answered by start, so that a script touches nothing.
func sandbox(start func(argv []string) error) []interp.RunnerOption {
	return []interp.RunnerOption{
		interp.Dir("/"),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc {
			return func(_ context.Context, argv []string) error { return start(argv) }
		}),
		interp.OpenHandler(func(context.Context, string, int, os.FileMode) (io.ReadWriteCloser, error) {
			return emptyFile{}, nil
		}),
		interp.StatHandler(func(_ context.Context, name string, _ bool) (fs.FileInfo, error) {
			return folder(name), nil
		}),
		interp.AccessHandler(func(context.Context, string, interp.AccessMode) error { return nil }),
		interp.ReadDirHandler2(func(context.Context, string) ([]fs.DirEntry, error) { return nil, nil }),
	}
}

func environ(env map[string]string) expand.Environ {
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	return expand.ListEnviron(list...)
}

// values are what a build argument is tried with: the usual words of a switch
// and every literal that the script itself might compare it with.
func (s script) values() []string {
	if s.file == nil {
		return nil
	}
	values := []string{"", "0", "1", "true", "false", "yes", "no"}
	expands := false
	syntax.Walk(s.file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.ParamExp:
			expands = true
		case *syntax.Lit:
			values = append(values, n.Value)
		case *syntax.SglQuoted:
			values = append(values, n.Value)
		}
		return true
	})
	if !expands {
		return nil
	}
	// The usual words stay in front, where the bound does not reach.
	unique := values[:0]
	for _, v := range values {
		if !slices.Contains(unique, v) && len(unique) < maxValues {
			unique = append(unique, v)
		}
	}
	return unique
}

// variant is one choice of build arguments under which a script is rehearsed.
type variant struct {
	// argument is empty for the defaults.
	argument, value string
	env             map[string]string
}

func (v variant) String() string {
	if v.argument == "" {
		return "by default"
	}
	return fmt.Sprintf("with the build argument %s=%q", v.argument, v.value)
}

// variants gives the defaults first, then every argument in scope with every
// value that might matter, one at a time.
func (d dockerfile) variants(st stage, i int, s script) []variant {
	env, args := d.environment(st, i, nil)
	all := []variant{{env: env}}
	for _, value := range s.values() {
		for _, arg := range args {
			env, _ := d.environment(st, i, map[string]string{arg: value})
			all = append(all, variant{arg, value, env})
		}
	}
	return all
}

// emptyFile swallows writes and reads as empty.
type emptyFile struct{}

func (emptyFile) Write(b []byte) (int, error) { return len(b), nil }
func (emptyFile) Read([]byte) (int, error)    { return 0, io.EOF }
func (emptyFile) Close() error                { return nil }

// folder is the answer to every stat.
type folder string

func (f folder) Name() string     { return string(f) }
func (folder) Size() int64        { return 0 }
func (folder) Mode() fs.FileMode  { return fs.ModeDir | 0o777 }
func (folder) ModTime() time.Time { return time.Time{} }
func (folder) IsDir() bool        { return true }
func (folder) Sys() any           { return nil }
