package offline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// repository is where the references of stand-ins start; it cannot be mistaken
// for a registry, .local being reserved.
const repository = "hybrid.local/"

const (
	baseFolder = "docker/base"
	nodeFolder = "docker/node"
)

// standIn is one image that is made here.
type standIn struct {
	ref string
	// standsFor is the image whose place it takes; empty for what only other
	// stand-ins are made from.
	standsFor string
	// dockerfile and context are relative to the repository; context may be
	// absolute. Empty for those that no single build makes.
	dockerfile, context string
	// baseArg is the build argument that takes the image below.
	baseArg string
}

func (s standIn) labels() map[string]string {
	if s.standsFor == "" {
		return nil
	}
	return map[string]string{StandInLabel: s.standsFor}
}

// maker makes the stand-ins. Its fields are fixed when the tasks start.
type maker struct {
	Options
	goroot, goVersion string
	apt               aptSettings

	debian, ubi, goToolset, postgresql, redis, system, node standIn
	// programsKey names the compiled programs in the work folder.
	programsKey string
	// present tells which references the engine holds already.
	present map[string]bool
}

// newMaker reads all inputs and computes the references.
func newMaker(ctx context.Context, o Options) (*maker, error) {
	m := &maker{Options: o, present: map[string]bool{}}
	out, err := o.Runner.Run(ctx, command.Command{Args: []string{"go", "env", "GOROOT", "GOVERSION"}, Dir: o.Root})
	if err != nil {
		return nil, fmt.Errorf("find the Go toolchain: %w", err)
	}
	fields := strings.Fields(string(out))
	if len(fields) != 2 {
		return nil, fmt.Errorf("find the Go toolchain: go env answered %q", out)
	}
	m.goroot, m.goVersion = fields[0], fields[1]
	if m.apt, err = readAptSettings(ctx, o); err != nil {
		return nil, err
	}
	return m, m.name()
}

// name computes every reference, each over its own inputs and the reference
// below it.
func (m *maker) name() error {
	var err error
	image := func(s standIn, name string, below standIn, files ...string) standIn {
		k := newKey().add("architecture", runtime.GOARCH).add("below", below.ref)
		switch name {
		case "base/debian":
			m.apt.addTo(k)
		case "base/go-toolset":
			k.add("go", m.goVersion)
		case "kindest-node":
			m.addNodeTo(k)
		}
		if filesErr := k.files(m.Root, files...); filesErr != nil && err == nil {
			err = filesErr
		}
		tag := k.String()
		if name == "kindest-node" {
			tag = KubernetesVersion + "-" + tag
		}
		s.ref = repository + name + ":" + tag
		return s
	}
	base := func(file string) string { return baseFolder + "/" + file }
	m.debian = image(standIn{}, "base/debian", standIn{}, debianHook)
	m.ubi = image(standIn{standsFor: UBIMinimal, dockerfile: base("ubi-minimal.Dockerfile"), context: baseFolder, baseArg: "DEBIAN_IMAGE"},
		"base/ubi-minimal", m.debian, base("ubi-minimal.Dockerfile"), base("stand-in.spec"), base("stand-in-packages.sh"))
	m.goToolset = image(standIn{standsFor: GoToolset, dockerfile: base("go-toolset.Dockerfile"), context: m.goroot, baseArg: "UBI_IMAGE"},
		"base/go-toolset", m.ubi, base("go-toolset.Dockerfile"), base("go-toolset.Dockerfile.dockerignore"))
	m.postgresql = image(standIn{standsFor: PostgreSQL, dockerfile: base("postgresql.Dockerfile"), context: baseFolder, baseArg: "DEBIAN_IMAGE"},
		"base/postgresql", m.debian, base("postgresql.Dockerfile"))
	m.redis = image(standIn{standsFor: Redis, dockerfile: base("redis.Dockerfile"), context: baseFolder, baseArg: "DEBIAN_IMAGE"},
		"base/redis", m.debian, base("redis.Dockerfile"))
	m.system = image(standIn{dockerfile: nodeFolder + "/system.Dockerfile", context: baseFolder, baseArg: "DEBIAN_IMAGE"},
		"base/node-system", m.debian, nodeFolder+"/system.Dockerfile")
	m.node = image(standIn{standsFor: pinnedNode(), dockerfile: nodeFolder + "/node.Dockerfile", baseArg: "SYSTEM_IMAGE"},
		"kindest-node", m.system, nodeFolder)
	if err != nil {
		return err
	}
	programs := newKey().add("architecture", runtime.GOARCH)
	m.addNodeTo(programs)
	if err := programs.files(m.Root, nodeFolder+"/kubernetes", nodeFolder+"/containerd"); err != nil {
		return err
	}
	m.programsKey = programs.String()
	return nil
}

// debianNeeded tells whether anything that is made directly from the Debian
// base has yet to be made.
func (m *maker) debianNeeded() bool {
	if m.present[m.debian.ref] {
		return false
	}
	for _, s := range []standIn{m.ubi, m.postgresql, m.redis, m.system} {
		if m.needed(s) {
			return true
		}
	}
	return false
}

// needed tells whether s has to be made: it is absent, and so is, for what only
// others are made from, at least one of those.
func (m *maker) needed(s standIn) bool {
	if m.present[s.ref] {
		return false
	}
	return s.ref != m.system.ref || !m.present[m.node.ref]
}

// buildTask is a stand-in that is one Dockerfile on top of another.
func (m *maker) buildTask(name string, s, below standIn, need string) task.Task {
	return task.Task{Name: name, Needs: []string{need}, Run: m.unless(m.needed(s), s, func(ctx context.Context, h *task.Handle) error {
		context := s.context
		if !filepath.IsAbs(context) {
			context = filepath.Join(m.Root, context)
		}
		err := m.Engine.Build(ctx, engine.BuildOptions{
			Dockerfile: filepath.Join(m.Root, s.dockerfile), Context: context, Tag: s.ref,
			Args: map[string]string{s.baseArg: below.ref}, Labels: s.labels(),
			// Packages come by the machine's own network, the one known to work.
			Network: "host", Log: h,
		})
		if err != nil {
			return fmt.Errorf("build the stand-in %s: %w", s.ref, err)
		}
		return nil
	})}
}

// scratch makes a folder in the work folder that remove deletes with everything
// in it.
func (m *maker) scratch(pattern string) (dir string, remove func(), err error) {
	if err := os.MkdirAll(m.Work, 0o755); err != nil {
		return "", nil, fmt.Errorf("make the work folder: %w", err)
	}
	dir, err = os.MkdirTemp(m.Work, pattern)
	if err != nil {
		return "", nil, fmt.Errorf("make a work folder: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
