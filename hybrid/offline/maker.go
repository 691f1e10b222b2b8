package offline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// repository is where the references of stand-ins start; it cannot be mistaken
// for a registry, .local being reserved.
const repository = "hybrid.local/"

// The names of stand-ins without the registry: what is below BaseFolder is a base image.
const (
	NodeName   = "kindest-node"
	BaseFolder = "base/"
)

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
	// baseArg is the build argument that takes base, the reference below.
	baseArg, base string
	// prefix starts the tag, before the key.
	prefix string
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
	foreign                                                 []foreignBase
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
	n := namer{root: m.Root}
	onDebian := func(file, standsFor string) standIn {
		return standIn{standsFor: standsFor, dockerfile: file, context: baseFolder, baseArg: "DEBIAN_IMAGE", base: m.debian.ref}
	}
	const ubi, toolset = baseFolder + "/ubi-minimal.Dockerfile", baseFolder + "/go-toolset.Dockerfile"
	const postgresql, redis = baseFolder + "/postgresql.Dockerfile", baseFolder + "/redis.Dockerfile"
	const system = nodeFolder + "/system.Dockerfile"

	m.debian = n.image(BaseFolder+"debian", standIn{}, m.apt.addTo, debianHook)
	m.ubi = n.image(BaseFolder+"ubi-minimal", onDebian(ubi, UBIMinimal), nil,
		ubi, baseFolder+"/stand-in.spec", baseFolder+"/stand-in-packages.sh")
	m.goToolset = n.image(BaseFolder+"go-toolset",
		standIn{standsFor: GoToolset, dockerfile: toolset, context: m.goroot, baseArg: "UBI_IMAGE", base: m.ubi.ref},
		func(k key) { k.add("go", m.goVersion) }, toolset, toolset+".dockerignore")
	m.postgresql = n.image(BaseFolder+"postgresql", onDebian(postgresql, PostgreSQL), nil, postgresql)
	m.redis = n.image(BaseFolder+"redis", onDebian(redis, Redis), nil, redis)
	m.system = n.image(BaseFolder+"node-system", onDebian(system, ""), nil, system)
	m.node = n.image(NodeName,
		standIn{standsFor: pinnedNode(), dockerfile: nodeFolder + "/node.Dockerfile", baseArg: "SYSTEM_IMAGE", base: m.system.ref, prefix: KubernetesVersion + "-"},
		m.addNodeTo, nodeFolder)
	m.foreign = nil
	for _, platform := range m.Foreign {
		m.foreign = append(m.foreign, m.nameForeign(&n, platform))
	}
	m.programsKey = n.key("", func(k key) { k.add("go", m.goVersion) }, programsInputs()...)
	return n.err
}

// namer computes keys and remembers the first input that cannot be read.
type namer struct {
	root string
	err  error
}

// image gives s its reference.
func (n *namer) image(name string, s standIn, extra func(key), inputs ...string) standIn {
	s.ref = repository + name + ":" + s.prefix + n.key(s.base, extra, inputs...)
	return s
}

// key is the key over the image below, what extra adds, and files or folders.
func (n *namer) key(base string, extra func(key), inputs ...string) string {
	k := newKey().add("architecture", runtime.GOARCH).add("below", base)
	if extra != nil {
		extra(k)
	}
	if err := k.files(n.root, inputs...); err != nil && n.err == nil {
		n.err = err
	}
	return k.String()
}

// debianNeeded tells whether anything that is made directly from the Debian
// base has yet to be made.
func (m *maker) debianNeeded() bool {
	if m.present[m.debian.ref] {
		return false
	}
	from := []standIn{m.ubi, m.postgresql, m.redis}
	if !m.NoNode {
		from = append(from, m.system)
	}
	return slices.ContainsFunc(from, m.needed)
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
func (m *maker) buildTask(name string, s standIn, need string) task.Task {
	return task.Task{Name: name, Needs: []string{need}, Run: m.unless(m.needed(s), s, func(ctx context.Context, h *task.Handle) error {
		context := s.context
		if !filepath.IsAbs(context) {
			context = filepath.Join(m.Root, context)
		}
		err := m.Engine.Build(ctx, engine.BuildOptions{
			Dockerfile: filepath.Join(m.Root, s.dockerfile), Context: context, Tag: s.ref,
			Args: map[string]string{s.baseArg: s.base}, Labels: s.labels(),
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
	parent := m.Work
	if m.Mark != "" {
		parent = scratchFolder(m.Work, m.Mark)
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", nil, fmt.Errorf("make the work folder: %w", err)
	}
	dir, err = os.MkdirTemp(parent, pattern)
	if err != nil {
		return "", nil, fmt.Errorf("make a work folder: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
