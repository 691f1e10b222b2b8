package speed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/sample"
)

// The parts of a set-up.
const (
	partBuild   = "build"
	partCluster = "cluster"
	partLoad    = "load"
	partDeploy  = "deploy until answered"
	partWhole   = "whole"
)

// The scenarios: what is different from the run before.
const (
	scenarioUnchanged = "unchanged"
	scenarioChange    = "change"
	scenarioEpoch     = "epoch"
)

// sidePhases is what goroutines alone give.
const sidePhases = "four phases, no caches of ours"

// Setup compares whole set-ups, from sources to a system that answers: a plain script,
// the same phases without our caches, sigs.k8s.io/e2e-framework, and the pipeline.
// BENCH_SCENARIO says what is different from the run before: nothing ("unchanged"), a
// line of code ("change"), or the epoch of security updates ("epoch").
func Setup(ctx context.Context) error {
	scenario := os.Getenv("BENCH_SCENARIO")
	if scenario == "" {
		scenario = scenarioUnchanged
	}
	if !slices.Contains([]string{scenarioUnchanged, scenarioChange, scenarioEpoch}, scenario) {
		return infrastructure.Tell(fault.With(fmt.Errorf("BENCH_SCENARIO=%q: want one of %s, %s, %s",
			scenario, scenarioUnchanged, scenarioChange, scenarioEpoch), "mend BENCH_SCENARIO"))
	}
	return run(ctx, "setup-"+scenario, func(ctx context.Context, s *stage) (err error) {
		checkout, remove, err := s.checkout(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, remove()) }()
		if scenario == scenarioEpoch {
			m, mirrorErr := s.slowMirror(ctx, os.Getenv)
			defer func() { err = errors.Join(err, m.close(ctx, s)) }()
			if mirrorErr != nil {
				return mirrorErr
			}
		}
		c, err := s.compareSetups(ctx, checkout, scenario)
		if err != nil {
			return err
		}
		c.Command = "BENCH_SCENARIO=" + scenario + " BENCH_ROUNDS=" + fmt.Sprint(s.rounds) + " mage bench:setup"
		return c.finish(s.dir, []Row{
			{Part: partBuild},
			{Part: partCluster},
			{Part: partLoad},
			{Part: partDeploy},
			{Part: partWhole, Ratio: 4, Against: map[string]float64{sidePhases: 2}},
		}, s.out)
	})
}

// compareSetups runs all sides in the checkout, and removes their images.
func (s *stage) compareSetups(ctx context.Context, checkout, scenario string) (c Comparison, err error) {
	script, phases := s.peer("script", checkout, scenario), s.peer("phases", checkout, scenario)
	framework, err := s.peer("framework", checkout, scenario).framework(ctx)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, framework.close()) }()
	others := []*peer{script, phases, framework.peer}
	defer func() {
		for _, p := range others {
			err = errors.Join(err, p.forget(ctx))
		}
	}()
	// Once without measuring, so that every side finds its caches as after a run. For a
	// new epoch the others build without any.
	if scenario != scenarioEpoch {
		for _, p := range others {
			if err := p.buildAll(ctx, s.log, time.Now().UTC().Format(time.DateOnly)); err != nil {
				return c, err
			}
		}
	}
	ours := s.peer("ours", checkout, scenario)
	if err := ours.buildOnce(ctx, s.log); err != nil {
		return c, err
	}
	return Compare(ctx, "setup-"+scenario, s.rounds, s.out, s.log,
		Side{Name: "script", Run: script.sequential}, Side{Name: sidePhases, Run: phases.parallel},
		Side{Name: "e2e-framework", Run: framework.envFuncs}, Side{Name: "mage", Run: ours.pipeline})
}

// checkout copies the repository, so that a change of a line is nobody's but ours.
func (s *stage) checkout(ctx context.Context) (dir string, remove func() error, err error) {
	if dir, err = os.MkdirTemp(s.state, "checkout-"); err != nil {
		return "", nil, err
	}
	remove = func() error { return os.RemoveAll(dir) }
	if err := sample.Copy(ctx, s.root, dir); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return dir, remove, nil
}

// laps measures the parts that follow each other.
type laps struct {
	parts       Parts
	began, last time.Time
}

func startLaps() *laps {
	now := time.Now()
	return &laps{parts: Parts{}, began: now, last: now}
}

func (l *laps) lap(part string) {
	now := time.Now()
	l.parts[part] = now.Sub(l.last).Seconds()
	l.last = now
	l.parts[partWhole] = now.Sub(l.began).Seconds()
}

// options are those of the pipeline in the checkout.
func (p *peer) options(epoch string, log io.Writer) (hybrid.Options, error) {
	o, err := hybrid.OptionsFrom(p.checkout, os.Getenv, log)
	if err != nil {
		return o, err
	}
	o.Plain, o.Keep, o.Artifacts, o.BaseImages = true, false, p.dir, p.buildArgs
	o.Epoch, err = image.ParseEpoch(epoch, time.Now())
	return o, err
}

// buildOnce is the Build phase of a round alone.
func (p *peer) buildOnce(ctx context.Context, log io.Writer) error {
	epoch, err := p.next()
	if err != nil {
		return err
	}
	o, err := p.options(epoch, log)
	if err != nil {
		return err
	}
	r, err := hybrid.Open(ctx, p.suite, o)
	if err != nil {
		return err
	}
	return r.Close(ctx, r.Build(ctx))
}

// pipeline is what mage does.
func (p *peer) pipeline(ctx context.Context, log io.Writer) (Parts, error) {
	epoch, err := p.next()
	if err != nil {
		return nil, err
	}
	o, err := p.options(epoch, log)
	if err != nil {
		return nil, err
	}
	l := startLaps()
	r, err := hybrid.Open(ctx, p.suite, o)
	if err != nil {
		return nil, err
	}
	for _, phase := range []struct {
		part string
		run  func(context.Context) error
	}{{partBuild, r.Build}, {partCluster, r.Cluster}, {partLoad, r.Load}, {partDeploy, r.Deploy}} {
		if err := phase.run(ctx); err != nil {
			return nil, r.Close(ctx, err)
		}
		l.lap(phase.part)
	}
	return l.parts, r.Close(ctx, nil)
}
