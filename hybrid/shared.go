package hybrid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// What the machines of an organisation share by a registry.

// pull brings what the registry has of the images into the engine, so that it is not made
// here; with all also the updated bases of images that are there. A registry that does not
// answer costs a few seconds and no run.
func (p *Pipeline) pull(ctx context.Context, all bool) error {
	if p.o.Registry.IsZero() {
		return nil
	}
	return p.group(report.PhaseImages, 0).Run(ctx, task.Task{Name: "registry.pull", Run: func(ctx context.Context, h *task.Handle) error {
		wanted, bases, err := p.shared(ctx)
		if err != nil {
			return err
		}
		if all {
			wanted = append(wanted, bases...)
		}
		missing, err := p.missing(ctx, wanted)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			h.Cached("the engine holds %d images", len(wanted))
			return nil
		}
		timeout := cmp.Or(p.o.PullTimeout, offline.DefaultPullTimeout)
		ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it did not come within %s (PULL_TIMEOUT)", timeout))
		defer cancel()
		has, err := p.find(ctx, missing, bases)
		var came int64
		if err == nil && len(has) > 0 {
			came, err = p.o.Registry.Pull(ctx, p.engine, h, has...)
		}
		h.Detail("%d images, %d MB; %d were missing", len(has), came/1e6, len(missing))
		if err != nil {
			h.Detail("what is missing is made here: %v", err)
		}
		return nil
	}})
}

// find gives those of missing that the registry has. Where some have to be built, it adds
// the updated bases on which they start.
func (p *Pipeline) find(ctx context.Context, missing, bases []string) ([]string, error) {
	has, err := p.o.Registry.Has(ctx, missing...)
	if err != nil || len(has) == len(missing) {
		return has, err
	}
	if bases, err = p.missing(ctx, bases); err != nil {
		return nil, err
	}
	updated, err := p.o.Registry.Has(ctx, bases...)
	return slices.Compact(slices.Sorted(slices.Values(append(has, updated...)))), err
}

// shared are the references that the suite needs, and those of its updated bases.
func (p *Pipeline) shared(ctx context.Context) (wanted, bases []string, err error) {
	if _, _, err := offline.Tasks(ctx, p.o.offline(p.engine, p.images.Source, p.leftover.Mark()), p.images); err != nil {
		return nil, nil, err
	}
	plans, err := image.Plans(p.imageOptions(), p.imageSpecs())
	if err != nil {
		return nil, nil, err
	}
	wanted = slices.Clone(p.images.StandIns)
	for _, plan := range plans {
		wanted = append(wanted, plan.Ref)
	}
	for _, plan := range image.Updated(plans) {
		bases = append(bases, plan.Ref)
	}
	return wanted, bases, nil
}

// missing are those of refs that the engine does not hold.
func (p *Pipeline) missing(ctx context.Context, refs []string) ([]string, error) {
	held, err := p.engine.Inspect(ctx, refs...)
	if err != nil {
		return nil, fmt.Errorf("ask the engine which images exist: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(refs), func(ref string) bool {
		_, ok := held[ref]
		return ok
	}), nil
}

// Refresh makes, for each suite, the bases with the security updates of the epoch and all
// images, and publishes in the registry what it lacks of them. Its story has been told to
// o.Out when it returns.
func Refresh(ctx context.Context, o Options, suites ...Suite) error {
	ctx, stop := Stoppable(ctx)
	defer stop()
	var errs []error
	for _, suite := range suites {
		p, err := Open(ctx, suite, o)
		if err == nil {
			err = p.Close(ctx, p.refresh(ctx))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (p *Pipeline) refresh(ctx context.Context) error {
	r := p.o.Registry
	if r.IsZero() {
		return fault.With(errors.New("no registry is named to publish images in"), "REGISTRY=registry.example.com/e2e mage base:refresh")
	}
	node, err := p.bases(ctx, true)
	if err != nil {
		return err
	}
	plans, err := image.Plans(p.imageOptions(), p.imageSpecs())
	if err != nil {
		return err
	}
	var refs []string
	for _, some := range [][]image.Plan{image.Updated(plans), plans} {
		tasks, err := image.Tasks(ctx, p.imageOptions(), some)
		if err != nil {
			return err
		}
		if err := p.group(report.PhaseBuild, buildLimit()).Run(ctx, append(tasks, node...)...); err != nil {
			return err
		}
		node = nil
		for _, plan := range some {
			refs = append(refs, plan.Ref)
		}
	}
	refs = append(refs, p.images.StandIns...)
	return p.group(report.PhaseBuild, 0).Run(ctx, task.Task{Name: "registry.push", Run: func(ctx context.Context, h *task.Handle) error {
		sent, err := r.Push(ctx, p.engine, h, refs...)
		if err != nil {
			return fault.With(err, "docker login "+r.String()+" where it wants credentials, then mage base:refresh")
		}
		if len(sent) == 0 {
			h.Cached("%s has %d images of epoch %s", r, len(refs), p.o.Epoch)
			return nil
		}
		h.Detail("%d of %d images of epoch %s to %s", len(sent), len(refs), p.o.Epoch, r)
		return nil
	}})
}
