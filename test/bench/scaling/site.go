package scaling

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/test/bench/processors"
	"github.com/hybrid-e2e/hybrid/test/bench/speed"
	"github.com/hybrid-e2e/hybrid/test/sample"
)

// The parts of a run.
const (
	partBuild     = "build"
	partUnchanged = "unchanged"
	partCluster   = "cluster"
	partLoad      = "load"
	partDeploy    = "deploy"
	partWhole     = "whole"
	// partProcessors is how long processors were busy during the whole, with whatever
	// it was.
	partProcessors = "processors"
)

// phases are the parts that make up the whole, in their order.
func phases() []string { return []string{partBuild, partCluster, partLoad, partDeploy} }

// forgetTimeout bounds the removal of images, which also happens after an interruption.
const forgetTimeout = 2 * time.Minute

// site is a generated repository with what the engine holds for it.
type site struct {
	sample.Repository
	options hybrid.Options
	engine  *engine.Engine
	// preloaded is the node image that was made for it; empty when there is none.
	preloaded string
	round     int
}

// prepare builds everything once, so that all later runs find bases and node image as
// any run but the first of a day does.
func (s *site) prepare(ctx context.Context) error {
	p, err := hybrid.Open(ctx, s.Suite(), s.options)
	if err != nil {
		return err
	}
	err = p.Build(ctx)
	if b := p.Built(); b.Preloaded != b.Node {
		s.preloaded = b.Preloaded
	}
	return errors.Join(p.Close(ctx, err), s.forgetServices(ctx))
}

// run takes changed sources to a system that answers, and has the specs look whether
// these are the services as they are now.
func (s *site) run(ctx context.Context, log io.Writer) (parts speed.Parts, err error) {
	s.round++
	if err := s.Change(s.round); err != nil {
		return nil, fmt.Errorf("change the services: %w", err)
	}
	defer func() { err = errors.Join(err, s.forgetServices(ctx)) }()
	w := newWatch()
	p, err := hybrid.Open(ctx, s.Suite(), s.options)
	if err != nil {
		return nil, err
	}
	for _, phase := range []struct {
		part string
		run  func(context.Context) error
	}{{partBuild, p.Build}, {partUnchanged, p.Build}, {partCluster, p.Cluster}, {partLoad, p.Load}, {partDeploy, p.Deploy}} {
		if err := phase.run(ctx); err != nil {
			return nil, p.Close(ctx, err)
		}
		w.lap(phase.part)
	}
	return w.parts, p.Close(ctx, s.specs(ctx, log, p.Artifacts()))
}

// specs runs those of the repository.
func (s *site) specs(ctx context.Context, log io.Writer, artifacts string) error {
	environment := hybrid.EnvironmentVariable + "=" + filepath.Join(artifacts, "environment.json")
	_, err := s.engine.Runner.Run(ctx, command.Command{
		Args: []string{"go", "test", "-count=1", s.Suite().Specs}, Dir: s.Dir, Env: []string{environment}, Log: log,
	})
	if err != nil {
		return fmt.Errorf("ask the services: %w", err)
	}
	return nil
}

// forgetServices removes the images of the services, whichever there are. Their names
// belong to this process alone.
func (s *site) forgetServices(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeout)
	defer cancel()
	out, err := s.engine.Run(ctx, nil, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}",
		"--filter", "reference="+image.Registry+"/"+s.ImagePrefix()+"-*")
	if err != nil {
		return fmt.Errorf("list the images of the generated services: %w", err)
	}
	return s.remove(ctx, strings.Fields(string(out))...)
}

// forget removes all that the engine holds for the site.
func (s *site) forget(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeout)
	defer cancel()
	err := s.forgetServices(ctx)
	if s.preloaded == "" {
		return err
	}
	present, inspectErr := s.engine.HasImage(ctx, s.preloaded)
	if !present {
		return errors.Join(err, inspectErr)
	}
	return errors.Join(err, s.remove(ctx, s.preloaded))
}

func (s *site) remove(ctx context.Context, refs ...string) error {
	if len(refs) == 0 {
		return nil
	}
	if _, err := s.engine.Run(ctx, nil, append([]string{"image", "rm", "--no-prune"}, refs...)...); err != nil {
		return fmt.Errorf("remove generated images: %w", err)
	}
	return nil
}

// watch measures parts that follow each other.
type watch struct {
	parts speed.Parts
	last  time.Time
	busy  float64
}

func newWatch() *watch {
	w := &watch{parts: speed.Parts{}}
	w.look()
	return w
}

// look notes where a part ends and the next one starts.
func (w *watch) look() (took, busy float64) {
	last, before := w.last, w.busy
	w.last = time.Now()
	// Where it is not known how long processors are busy the part stays away.
	w.busy, _ = processors.Busy()
	return w.last.Sub(last).Seconds(), w.busy - before
}

// lap ends a part. Those that are a phase add up to the whole: what is built twice is
// shown, and nobody would do it.
func (w *watch) lap(part string) {
	took, busy := w.look()
	w.parts[part] = took
	if !slices.Contains(phases(), part) {
		return
	}
	w.parts[partWhole] += took
	if w.busy > 0 {
		w.parts[partProcessors] += busy
	}
}
