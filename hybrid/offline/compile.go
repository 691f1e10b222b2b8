package offline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// KubernetesVersion is the release of the stand-in node image; it equals the
// requirement of docker/node/kubernetes/go.mod and what the programs report, which
// a test proves.
const KubernetesVersion = "v1.37.2"

// KindVersion is the release of kind whose entrypoint and units the node image
// has; it equals the requirement of go.mod, which a test proves.
const KindVersion = "v0.33.0"

// programsFile compiles what the node image runs.
const programsFile = nodeFolder + "/programs.Dockerfile"

// programsInputs are the files and folders that decide the compiled programs.
func programsInputs() []string {
	return []string{programsFile, nodeFolder + "/kubernetes", nodeFolder + "/containerd"}
}

// programsFolder is where the compiled programs wait for the node image.
func (m *maker) programsFolder() string { return filepath.Join(m.Work, "programs-"+m.programsKey) }

func (m *maker) compileTask() task.Task {
	return task.Task{Name: "node.programs", Run: func(ctx context.Context, h *task.Handle) error {
		if m.present[m.node.ref] {
			h.Cached("not needed")
			return nil
		}
		if _, err := os.Stat(m.programsFolder()); err == nil {
			h.Cached("compiled before")
			return nil
		}
		return m.compile(ctx, h)
	}}
}

// compile builds all programs and moves the results into place at once.
func (m *maker) compile(ctx context.Context, h *task.Handle) error {
	dir, remove, err := m.scratch("programs-")
	if err != nil {
		return err
	}
	defer remove()
	buildContext, out := filepath.Join(dir, "context"), filepath.Join(dir, "out")
	if err := m.stageSources(buildContext); err != nil {
		return fmt.Errorf("collect the sources of the node's programs: %w", err)
	}
	h.Status("compiling Kubernetes")
	err = m.Engine.Build(ctx, engine.BuildOptions{
		Dockerfile: filepath.Join(m.Root, programsFile), Context: buildContext, Output: "type=local,dest=" + out,
		Args: m.transport(), Network: "host", Log: &compilerLog{to: h},
	})
	if err != nil {
		return fmt.Errorf("compile the programs of the node image: %w", err)
	}
	final := m.programsFolder()
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	// Another run may have been first; its result is the same.
	if err := os.Rename(out, final); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep the compiled programs: %w", err)
	}
	return nil
}

// stageSources fills the build context of programs.Dockerfile.
func (m *maker) stageSources(dir string) error {
	certs := filepath.Join(dir, "certs")
	if err := os.MkdirAll(certs, 0o755); err != nil {
		return err
	}
	copies := map[string]string{}
	if m.apt.caBundle != "" {
		copies[m.apt.caBundle] = filepath.Join(certs, "ca-certificates.crt")
	}
	for _, name := range []string{"kubernetes", "containerd"} {
		copies[filepath.Join(m.Root, nodeFolder, name)] = filepath.Join(dir, name)
	}
	// What else GOROOT has is for those who work on Go.
	for _, name := range []string{"VERSION", "bin", "go.env", "lib", "pkg", "src"} {
		copies[filepath.Join(m.goroot, name)] = filepath.Join(dir, "go", name)
	}
	for from, to := range copies {
		if err := copyAll(from, to); err != nil {
			return err
		}
	}
	return nil
}

// copyAll copies a file or a folder with everything in it.
func copyAll(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644) //nolint:gosec // Read in a container, by whatever user its engine has.
}

// transport are the settings of Transport that have a value.
func (m *maker) transport() map[string]string {
	args := map[string]string{}
	for name, value := range m.Transport {
		if value != "" {
			args[name] = value
		}
	}
	return args
}

// step is how BuildKit starts each line: its step's number, and the seconds since.
var step = regexp.MustCompile(`^#\d+ \d+\.\d+ `)

// compilerLog numbers the packages that `go build -v` names as it compiles them,
// so that a build of minutes shows how far it is.
type compilerLog struct {
	to      io.Writer
	partial []byte
	count   int
}

// Write implements io.Writer.
func (l *compilerLog) Write(p []byte) (int, error) {
	l.partial = append(l.partial, p...)
	for {
		line, rest, found := bytes.Cut(l.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.partial = rest
		text := string(line)
		// Everything else the toolchain says has a blank in it.
		if name := step.ReplaceAllString(text, ""); !strings.ContainsAny(name, " \t") && name != "" {
			l.count++
			text = fmt.Sprintf("%d packages compiled, now %s", l.count, name)
		}
		if _, err := fmt.Fprintln(l.to, text); err != nil {
			return 0, err
		}
	}
}
