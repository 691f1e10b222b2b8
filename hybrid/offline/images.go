package offline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// StandInLabel names, on a stand-in, the image that it stands for.
const StandInLabel = "io.hybrid.stand-in"

// Options says what to make and how.
type Options struct {
	// Root is the repository; docker/base and docker/node are read below it.
	Root string
	// Engine builds and holds the images.
	Engine *engine.Engine
	// Runner runs what is not a call of the engine: mmdebstrap and go.
	Runner command.Runner
	// Source is what Decide gave.
	Source Source
	// Transport is the environment that module downloads need (GOPROXY, …),
	// given to the compilers; it does not count into keys.
	Transport map[string]string
	// Work keeps compiled programs until the node image that needs them exists,
	// so that an interrupted run compiles once. Empty means hybrid/offline below
	// the user's cache folder.
	Work string
	// Mark is the run's: what is half made bears it, so that it can be found when the
	// run was killed. Empty is for what is no run.
	Mark string
	// PullTimeout bounds the pull of one image; zero means DefaultPullTimeout.
	PullTimeout time.Duration
	// Foreign are platforms beside this machine's, for which UBI-minimal is had too.
	Foreign []string
	// NoNode leaves the Kind node image out, which takes longest to make.
	NoNode bool
	// Getenv reads the environment (SSL_CERT_FILE); nil means os.Getenv.
	Getenv func(string) string
}

// Images are the references to use, complete as soon as Tasks has returned; they
// can be used when the tasks have succeeded.
type Images struct {
	// Node is the Kind node image; empty with NoNode.
	Node string
	// BuildArgs maps each base-image argument of the Dockerfiles to a reference.
	BuildArgs map[string]string
	// Source is where the images come from.
	Source Source
	// StandIns are the references of local stand-ins, for the report; empty when
	// the registries are used.
	StandIns []string
	// Foreign has UBI-minimal of each of Options.Foreign.
	Foreign map[string]string
	// Below are the references of what only stand-ins are made from.
	Below []string
}

// Tasks plans how the images get into the engine and fills result with their
// references. In registry mode there is one task per image, which pulls it if it
// is absent; else one per stand-in and program, those that exist ending as
// cached. Planning takes well under 0.3 s. The tasks in last give the node image, which
// no build needs; they begin when the others have ended.
func Tasks(ctx context.Context, o Options, result *Images) (first, last []task.Task, err error) {
	result.Source = o.Source
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	switch o.Source {
	case Registry:
		first, last = pulls(o, result)
		return first, last, nil
	case Local:
	default:
		return nil, nil, fmt.Errorf("base images come from a registry or are local, not %q", o.Source)
	}
	if o.Work == "" {
		work, err := workFolder()
		if err != nil {
			return nil, nil, err
		}
		o.Work = work
	}
	m, err := newMaker(ctx, o)
	if err != nil {
		err = fmt.Errorf("plan the local base images: %w", err)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fault.With(err, "IMAGE_SOURCE=registry where a registry can be reached; else copy docker/base and docker/node of Hybrid into the repository")
		}
		return nil, nil, err
	}
	return m.plan(ctx, result)
}

// workFolder is where compiled programs are kept unless Options say otherwise.
func workFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for compiled programs: %w", err)
	}
	return filepath.Join(cache, "hybrid", "offline"), nil
}

// Halves are what Tasks leave half made when a run with this mark is killed: folders
// and references of images. Neither needs to be there.
func Halves(mark string) (folders, images []string) {
	images = []string{rootImage(mark)}
	if work, err := workFolder(); err == nil {
		folders = []string{scratchFolder(work, mark)}
	}
	return folders, images
}

// rootImage is the node's root file system before the control plane is in it.
func rootImage(mark string) string { return repository + "base/node-root:" + mark }

// scratchFolder is on the file system of the work folder, into which what is complete
// is moved.
func scratchFolder(work, mark string) string { return filepath.Join(work, "scratch-"+mark) }

// plan asks the engine once for all references.
func (m *maker) plan(ctx context.Context, result *Images) (first, last []task.Task, err error) {
	all := []standIn{m.debian, m.ubi, m.goToolset, m.postgresql, m.redis, m.system, m.node}
	for _, f := range m.foreign {
		all = append(all, f.debian, f.ubi)
	}
	refs := make([]string, len(all))
	for i, s := range all {
		refs[i] = s.ref
	}
	present, err := m.Engine.Inspect(ctx, refs...)
	// An engine that holds none of them makes its client fail; anything else that
	// is wrong with the engine shows at the first build.
	if failed := (*command.Error)(nil); err != nil && !errors.As(err, &failed) {
		return nil, nil, err
	}
	for ref := range present {
		m.present[ref] = true
	}
	result.BuildArgs = map[string]string{
		GoToolsetArg: m.goToolset.ref, UBIMinimalArg: m.ubi.ref, PostgreSQLArg: m.postgresql.ref, RedisArg: m.redis.ref,
	}
	result.StandIns = []string{m.goToolset.ref, m.ubi.ref, m.postgresql.ref, m.redis.ref}
	result.Below = []string{m.debian.ref}
	result.Foreign = map[string]string{}
	for _, f := range m.foreign {
		result.Foreign[f.platform] = f.ubi.ref
		result.StandIns = append(result.StandIns, f.ubi.ref)
		result.Below = append(result.Below, f.debian.ref)
	}
	if m.NoNode {
		return m.bases(), nil, nil
	}
	result.Node = m.node.ref
	result.StandIns = append(result.StandIns, m.node.ref)
	result.Below = append(result.Below, m.system.ref)
	// The compile comes first, since it takes longest.
	first = append(append([]task.Task{m.compileTask()}, m.bases()...), m.buildTask("node.system", m.system, "base.debian"))
	last = []task.Task{{Name: "node.image", Run: m.unless(!m.present[m.node.ref], m.node, m.makeNode)}}
	return first, last, nil
}

// bases gives the steps to the base images of the Dockerfiles.
func (m *maker) bases() []task.Task {
	tasks := []task.Task{
		{Name: "base.debian", Run: m.unless(m.debianNeeded(), m.debian, m.makeDebian)},
		m.buildTask("base.ubi-minimal", m.ubi, "base.debian"),
		m.buildTask("base.go-toolset", m.goToolset, "base.ubi-minimal"),
		m.buildTask("base.postgresql", m.postgresql, "base.debian"),
		m.buildTask("base.redis", m.redis, "base.debian"),
	}
	for _, f := range m.foreign {
		tasks = append(tasks, m.foreignTasks(f)...)
	}
	return tasks
}

// unless runs create only when s is needed, else reports it as cached.
func (m *maker) unless(needed bool, s standIn, create func(context.Context, *task.Handle) error) func(context.Context, *task.Handle) error {
	return func(ctx context.Context, h *task.Handle) error {
		if !needed {
			h.Cached("%s", s.ref)
			return nil
		}
		if err := create(ctx, h); err != nil {
			return err
		}
		h.Detail("%s", s.ref)
		return nil
	}
}
