package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// Registry is the host part of every reference that the pipeline builds. It
// resolves nowhere, so that no engine ever tries to pull such an image.
const Registry = "hybrid.local"

// Spec is one image to build.
type Spec struct {
	// Name becomes hybrid.local/<Name>.
	Name string
	// Dockerfile is relative to the root, which is the build context.
	Dockerfile string
	// Args are build arguments of this image alone; they count into the key.
	Args map[string]string
}

// Options hold for all images of one run.
type Options struct {
	// Root is the repository, the context of every build.
	Root string
	// Engine holds the images.
	Engine *engine.Engine
	// Builder makes them; nil means the engine's own.
	Builder Builder
	// Args are build arguments offered to every Dockerfile that declares them;
	// they count into the key: base images, coverage mode.
	Args map[string]string
	// Transport are build arguments that say how, not what, to build (a module
	// proxy); they do not count into the key.
	Transport map[string]string
	// Epoch is the security-update epoch; see Epoch.
	Epoch Epoch
	// Platform is like linux/amd64; empty is that of this machine.
	Platform string
	// Network is the network of the builds; empty is the engine's default.
	Network string
	// Timeout bounds each build; zero means DefaultTimeout.
	Timeout time.Duration

	// foreign is set while images of another platform are planned.
	foreign *Foreign
}

// Builder builds an image, which the engine then holds under its tag.
type Builder interface {
	Build(ctx context.Context, o engine.BuildOptions) error
}

// DefaultTimeout is for a build that compiles without caches on a slow machine, ten
// times over: one that takes longer hangs.
const DefaultTimeout = 30 * time.Minute

// Plan is one image with its identity.
type Plan struct {
	Spec
	// Ref is hybrid.local/<Name>:<key>.
	Ref string
	// Key is the content key, 16 hexadecimal digits.
	Key string

	args map[string]string
	// updated are the bases with their security updates.
	updated []Plan
	// text is the Dockerfile where none of the repository's is taken as it is: of an updated
	// base, and of an image for another platform.
	text string
	// context is the folder that text sees; empty for an updated base, which sees none.
	context string
	// platform is that of an image for another one than the engine's; else empty.
	platform string
}

// Repository is the reference without its tag, as manifests name it.
func (p Plan) Repository() string { return Registry + "/" + p.Name }

// TaskName is that of the task which builds the image.
func (p Plan) TaskName() string {
	name := "image." + p.Name
	if p.platform != "" {
		name += "-" + path.Base(p.platform)
	}
	if p.text != "" && p.context == "" {
		// There may be several of one base, updated in different ways.
		return name + "." + p.Key
	}
	return name
}

// Platform is like linux/amd64.
func (p Plan) Platform() string { return cmp.Or(p.platform, Native()) }

// Plans computes the identity of every image; it touches no engine. All
// mistakes are reported together.
func Plans(o Options, specs []Spec) ([]Plan, error) {
	plans := make([]Plan, len(specs))
	var errs []error
	for i, s := range specs {
		var err error
		if plans[i], err = plan(o, s); err != nil {
			errs = append(errs, fmt.Errorf("image %s: %w", s.Name, err))
		}
	}
	return plans, errors.Join(errs...)
}

func plan(o Options, s Spec) (Plan, error) {
	d, err := readDockerfile(filepath.Join(o.Root, s.Dockerfile))
	if err != nil {
		return Plan{}, err
	}
	args := map[string]string{epochArg: o.Epoch.String()}
	maps.Copy(args, o.Args)
	maps.Copy(args, s.Args)
	maps.DeleteFunc(args, func(k, _ string) bool { return !d.args[k] })
	for k := range s.Args {
		if !d.args[k] {
			return Plan{}, fmt.Errorf("%s declares no ARG %s", s.Dockerfile, k)
		}
	}
	in := input{root: o.Root, file: s.Dockerfile, dockerfile: d, args: args, platform: cmp.Or(o.Platform, Native())}
	if o.foreign != nil {
		p, err := planForeign(o, s, in)
		p.transport(o, d)
		return p, err
	}
	key, err := in.key()
	if err != nil {
		return Plan{}, err
	}
	bases, err := updated(in, d.heads)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Spec: s, Key: key, Ref: Registry + "/" + s.Name + ":" + key, args: args, updated: bases}
	p.transport(o, d)
	return p, nil
}

// transport adds the arguments that do not count into the key.
func (p Plan) transport(o Options, d dockerfile) {
	for k, v := range o.Transport {
		if p.args != nil && d.args[k] && v != "" {
			p.args[k] = v
		}
	}
}

// Tasks gives one task per image. An image that the engine
// holds under its key is not built; the lookup for all of them is one call. Updated bases
// that the engine holds save the builds the updates.
func Tasks(ctx context.Context, o Options, plans []Plan) ([]task.Task, error) {
	var refs []string
	for _, p := range slices.Concat(plans, Updated(plans)) {
		refs = append(refs, p.Ref)
	}
	present, err := o.Engine.Inspect(ctx, refs...)
	if err != nil {
		return nil, fmt.Errorf("ask the engine which images exist: %w", err)
	}
	tasks := make([]task.Task, len(plans))
	for i, p := range plans {
		_, ok := present[p.Ref]
		tasks[i] = task.Task{
			Name:  p.TaskName(),
			Light: ok,
			Run: func(ctx context.Context, h *task.Handle) error {
				if ok {
					h.Cached("key %s", p.Key)
					return nil
				}
				h.Detail("key %s", p.Key)
				var bases []string
				for _, u := range p.updated {
					if _, ok := present[u.Ref]; ok && p.platform == "" {
						bases = append(bases, u.Ref)
					}
				}
				return build(ctx, o, p, bases, h)
			},
		}
	}
	return tasks, nil
}

func build(ctx context.Context, o Options, p Plan, bases []string, log io.Writer) error {
	file, folder := filepath.Join(o.Root, p.Dockerfile), o.Root
	if p.text != "" {
		own, err := p.write(o.Root)
		if err != nil {
			return err
		}
		defer os.RemoveAll(own) //nolint:errcheck // It is a temporary folder.
		// An updated base sees no file of the repository.
		file, folder = filepath.Join(own, "Dockerfile"), cmp.Or(p.context, own)
	}
	timeout := cmp.Or(o.Timeout, DefaultTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, &TimeoutError{timeout})
	defer cancel()
	builder := o.Builder
	if builder == nil {
		builder = o.Engine
	}
	err := builder.Build(ctx, engine.BuildOptions{
		Dockerfile: file,
		Context:    folder,
		Tag:        p.Ref,
		Args:       p.args,
		Labels:     map[string]string{EpochLabel: o.Epoch.String(), KeyLabel: p.Key},
		Platform:   o.Platform,
		Network:    o.Network,
		CacheFrom:  bases,
		CacheInto:  p.text != "" && p.platform == "",
		Log:        log,
	})
	if _, hangs := errors.AsType[*TimeoutError](err); hangs {
		return fault.With(err, "look what the last command waits for; BUILD_TIMEOUT=2h mage build if it only is slow")
	}
	return fault.With(err, "mage build, after mending "+p.Dockerfile+" or what it builds")
}

// write writes the Dockerfile of a plan that has one of its own, into a folder that is to be
// removed.
func (p Plan) write(root string) (folder string, err error) {
	if folder, err = os.MkdirTemp("", "hybrid-dockerfile-"); err != nil {
		return "", err
	}
	file := filepath.Join(folder, "Dockerfile")
	if err := os.WriteFile(file, []byte(p.text), 0o600); err != nil {
		return folder, err
	}
	ignored, err := os.ReadFile(p.ignoreFile(root))
	if p.context == "" || errors.Is(err, fs.ErrNotExist) {
		return folder, nil
	}
	if err == nil {
		err = os.WriteFile(file+".dockerignore", ignored, 0o600) //nolint:gosec // The folder was made here.
	}
	return folder, err
}

// TimeoutError says that a build took longer than it may.
type TimeoutError struct{ Timeout time.Duration }

// Error gives the time that it had.
func (e *TimeoutError) Error() string { return fmt.Sprintf("it did not end within %s", e.Timeout) }

// Refs maps repositories, as manifests name them, to full references.
func Refs(plans []Plan) map[string]string {
	refs := make(map[string]string, len(plans))
	for _, p := range plans {
		refs[p.Repository()] = p.Ref
	}
	return refs
}

// IsOurs tells whether ref names an image that this pipeline builds.
func IsOurs(ref string) bool { return strings.HasPrefix(ref, Registry+"/") }
