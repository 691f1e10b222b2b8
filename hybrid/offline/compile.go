package offline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// KubernetesVersion is the release of the stand-in node image; it equals the
// requirement of docker/node/kubernetes/go.mod, which a test proves.
const KubernetesVersion = "v1.37.2"

// KindVersion is the release of kind whose entrypoint and units the node image
// has; it equals the requirement of go.mod, which a test proves.
const KindVersion = "v0.33.0"

// compilerGOGC trades memory for time. Measured on etcd's server, cold, on two
// processors: 69 s of processor time instead of 93 s with the default of 100, for
// 355 MB instead of 310 MB in the largest compile. The linker's 3.8 GB stay.
const compilerGOGC = "400"

// program is one run of the Go compiler in a module of its own.
type program struct {
	name string
	// folder is the module, relative to the repository.
	folder   string
	tags     string
	ldflags  string
	packages []string
}

// programs lists what the node image needs. Tags and -trimpath are part of the
// compiler's cache keys: whoever compiles by hand with the same ones warms the
// cache for this.
func (m *maker) programs() (kubernetes, containerd program) {
	kubernetes = program{
		name: "kubernetes", folder: nodeFolder + "/kubernetes",
		tags: "providerless selinux_disabled", ldflags: "-s -w " + versionFlags(KubernetesVersion),
		packages: []string{".", "./pause"},
	}
	containerd = program{
		name: "containerd", folder: nodeFolder + "/containerd",
		// Snapshotters that a node never selects.
		tags: "no_aufs no_btrfs no_devmapper no_zfs", ldflags: "-s -w",
		packages: []string{
			".", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"github.com/containernetworking/plugins/plugins/ipam/host-local",
			"github.com/containernetworking/plugins/plugins/main/loopback",
			"github.com/containernetworking/plugins/plugins/main/ptp",
			"github.com/containernetworking/plugins/plugins/meta/portmap",
		},
	}
	return kubernetes, containerd
}

// versionFlags makes the components report version: kubeadm compares what the
// API server, the kubelet and itself say.
func versionFlags(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	var flags []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, kv := range [][2]string{
			{"gitVersion", version},
			{"gitMajor", major},
			{"gitMinor", minor},
			{"gitTreeState", "clean"},
			{"gitCommit", strings.Repeat("0", 40)},
		} {
			flags = append(flags, "-X "+pkg+"."+kv[0]+"="+kv[1])
		}
	}
	return strings.Join(flags, " ")
}

// programsFolder is where a compiled program waits for the node image.
func (m *maker) programsFolder(name string) string {
	return filepath.Join(m.Work, "programs-"+m.programsKey, name)
}

func (m *maker) compileTask(name string, p program) task.Task {
	return task.Task{Name: name, Run: func(ctx context.Context, h *task.Handle) error {
		if m.present[m.node.ref] {
			h.Cached("not needed")
			return nil
		}
		if _, err := os.Stat(m.programsFolder(p.name)); err == nil {
			h.Cached("compiled before")
			return nil
		}
		return m.compile(ctx, h, p)
	}}
}

// compile builds all packages of p and moves the results into place at once.
func (m *maker) compile(ctx context.Context, h *task.Handle, p program) error {
	dir, remove, err := m.scratch(p.name + "-")
	if err != nil {
		return err
	}
	defer remove()
	out := filepath.Join(dir, "out")
	h.Status("compiling %s", p.name)
	_, err = m.Runner.Run(ctx, command.Command{
		Args: append([]string{
			"go", "build", "-mod=readonly", "-buildvcs=false", "-v", "-trimpath", "-tags", p.tags, "-ldflags", p.ldflags,
			"-o", out + string(filepath.Separator),
		}, p.packages...),
		Dir: filepath.Join(m.Root, p.folder), Env: m.compilerEnv(), Log: &compilerLog{to: h},
	})
	if err != nil {
		return fmt.Errorf("compile %s for the node image: %w", p.name, err)
	}
	final := m.programsFolder(p.name)
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	// Another run may have been first; its result is the same.
	if err := os.Rename(out, final); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep the compiled %s: %w", p.name, err)
	}
	return nil
}

// compilerEnv is the environment of the compiler: static programs, and less
// garbage collection, since the compilers' memory is freed at their end anyway.
func (m *maker) compilerEnv() []string {
	env := []string{"CGO_ENABLED=0", "GOWORK=off", "GOGC=" + compilerGOGC}
	for _, name := range slices.Sorted(maps.Keys(m.Transport)) {
		if value := m.Transport[name]; value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

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
		if !strings.ContainsAny(text, " \t") && text != "" {
			l.count++
			text = fmt.Sprintf("%d packages compiled, now %s", l.count, text)
		}
		if _, err := fmt.Fprintln(l.to, text); err != nil {
			return 0, err
		}
	}
}
