package hybrid

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/diagnose"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/report/trace"
	"github.com/hybrid-e2e/hybrid/hybrid/room"
	"github.com/hybrid-e2e/hybrid/hybrid/shard"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// evidenceTimeout bounds the collection of evidence after a failure.
const evidenceTimeout = 15 * time.Second

// ErrSpecs says that the set-up was fine and specs failed.
var ErrSpecs = errors.New("specs failed")

// EndToEnd takes one suite from sources to tested: the four phases in order,
// the specs, coverage, report, and nothing left behind. The outcome has been
// told to o.Out when it returns.
func EndToEnd(ctx context.Context, suite Suite, o Options) error {
	ctx, stop := Stoppable(ctx)
	defer stop()
	p, err := Open(ctx, suite, o)
	if err != nil {
		return err
	}
	err = p.Build(ctx)
	if err == nil {
		err = p.tested(ctx)
	}
	return p.Close(ctx, err)
}

// tested takes the specs through a cluster, which is made anew once when a node of it fails.
func (p *Pipeline) tested(ctx context.Context) error {
	err := p.inCluster(ctx)
	if cluster.NodeFailed(err) && ctx.Err() == nil {
		if err = p.forgetCluster(ctx, err); err == nil {
			err = p.inCluster(ctx)
		}
	}
	return err
}

// inCluster is what comes after the images, and tells when it failed because of a node.
func (p *Pipeline) inCluster(ctx context.Context) error {
	err := p.fromClusterToCoverage(ctx)
	if err == nil || ctx.Err() != nil || p.cluster == nil || cluster.Lost(err) {
		return err
	}
	// A command in a node may fail before the engine tells of the node's end.
	return errors.Join(p.cluster.Failed(ctx, err), err)
}

func (p *Pipeline) fromClusterToCoverage(ctx context.Context) error {
	for _, phase := range []func(context.Context) error{p.Cluster, p.Load, p.Deploy} {
		if err := phase(ctx); err != nil {
			return err
		}
	}
	err := p.Test(ctx)
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		p.evidence(ctx, err)
	}
	if !cluster.Lost(err) {
		err = errors.Join(err, p.Collect(ctx))
	}
	return err
}

// forgetCluster ends the first attempt of a run whose node failed: it keeps the
// evidence, and deletes the cluster so that another one can be made.
func (p *Pipeline) forgetCluster(ctx context.Context, cause error) error {
	p.evidence(ctx, cause)
	p.evidenced = false
	p.recorder.SetRebuilt(p.o.Now(), cause)
	p.printer.Print("  the cluster is made anew, once: " + firstLine(cause))
	err := p.group(report.PhaseCluster, 0).Run(ctx, p.deleteCluster())
	if err != nil {
		return errors.Join(cause, err)
	}
	p.cluster, p.deployer, p.env, p.summary = nil, nil, nil, nil
	return nil
}

// firstLine is the start of an error.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Collect stops the instrumented services gracefully, so that they write their
// counters, and turns those into the coverage report; on a kept cluster it starts
// them again. With COVERAGE=0 it does nothing.
func (p *Pipeline) Collect(ctx context.Context) error {
	if p.o.Plain || p.env == nil {
		return nil
	}
	ctx, stop := p.cluster.Watch(ctx)
	defer stop()
	var result coverage.Result
	tasks := []task.Task{
		{Name: "coverage.flush", Run: func(ctx context.Context, h *task.Handle) error {
			if err := p.deployer.Stop(ctx, h, p.suite.covered()...); err != nil || p.deliveries == nil {
				return err
			}
			remark, err := p.deliveries.Wait(ctx)
			h.Detail("%s", remark)
			return err
		}},
		{Name: "coverage.report", Needs: []string{"coverage.flush"}, Run: func(ctx context.Context, h *task.Handle) error {
			module, err := p.module()
			if err != nil {
				return err
			}
			o := coverage.Options{
				Raw: p.rawCoverage(), Out: filepath.Join(p.dir, "coverage"), Module: module, ModuleRoot: p.o.Root,
				Sources: p.sources(p.start), Log: h,
			}
			remark := ""
			if p.o.Shard.Of > 0 {
				remark = "; the floors are judged when the shards are merged"
			} else {
				o.Floors = p.floors()
			}
			result, err = coverage.Collect(ctx, p.o.Runner, o)
			h.Detail("%.1f %% of statements%s", result.Total.Percent, remark)
			return err
		}},
	}
	if p.cluster.Kept() {
		tasks = append(tasks, task.Task{Name: "coverage.restart", Needs: []string{"coverage.flush"}, Run: p.restart})
	}
	err := p.group(report.PhaseCoverage, 0).Run(ctx, tasks...)
	p.covered = result
	p.showCovered()
	return err
}

// showCovered prints what was covered.
func (p *Pipeline) showCovered() {
	if len(p.covered.Packages) > 0 {
		fmt.Fprintf(p.o.Out, "\n%s\n", p.covered.Table())
	}
}

// floors are those that coverage is held to. A part of the specs, or failed ones, cannot be
// held to any.
func (p *Pipeline) floors() map[string]float64 {
	if p.o.Focus == "" && p.o.Labels == "" && p.summary != nil && p.summary.Failed == 0 {
		return p.suite.Floors
	}
	return nil
}

// module is the path of the repository's Go module.
func (p *Pipeline) module() (string, error) {
	b, err := os.ReadFile(filepath.Join(p.o.Root, "go.mod"))
	if err != nil {
		return "", err
	}
	path := modfile.ModulePath(b)
	if path == "" {
		return "", errors.New("go.mod names no module")
	}
	return path, nil
}

// evidence keeps what explains a failure, once and before anything is deleted.
// A cluster that never came up is told by its nodes alone.
func (p *Pipeline) evidence(ctx context.Context, cause error) {
	if p.cluster == nil || p.evidenced {
		return
	}
	p.evidenced = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), evidenceBudget(ctx))
	defer cancel()
	config := p.cluster.REST
	if cluster.Mute(cause) {
		config = nil // Nobody waits for what does not come.
	}
	nodes, nodesErr := p.cluster.Nodes(ctx)
	dir := filepath.Join(p.dir, "diagnose")
	if p.recorder.Rebuilt() {
		dir += "-rebuilt"
	}
	namespaces := []string{p.namespace()}
	if !p.o.Existing.Named {
		namespaces = append(namespaces, "kube-system")
	}
	err := errors.Join(nodesErr, diagnose.Collect(ctx, diagnose.Options{
		Config: config, Namespaces: namespaces, Cause: cause,
		Run:   func(ctx context.Context, args ...string) ([]byte, error) { return p.engine.Run(ctx, nil, args...) },
		Nodes: nodes, Dir: dir,
	}))
	if err != nil {
		fmt.Fprintf(p.o.Out, "  evidence is incomplete: %v\n", err)
	}
}

// Step runs one phase for a caller that wants no more than that and leaves the
// cluster to the next command. When the phase fails, the run ends: evidence is
// kept and a cluster that it made is deleted, unless KEEP_CLUSTER is set.
func (p *Pipeline) Step(ctx context.Context, phase func(context.Context) error) error {
	err := p.leftover.Busy()
	if err == nil && p.plans != nil {
		err = p.o.wholeRun() // After the images there are phases that leave something.
	}
	if err == nil {
		err = phase(ctx)
	}
	if err != nil {
		p.abandoned = p.created && !p.o.Keep
		return p.Close(ctx, err)
	}
	if p.cluster != nil && !p.cluster.Kept() {
		err = p.cluster.Keep()
	}
	// Whether another phase follows is not known, here and below.
	err = errors.Join(err, p.leftover.Idle())
	// What was printed must be on the terminal should the process end now.
	p.printer.Close()
	p.printer = p.newPrinter()
	p.offer()
	return errors.Join(err, p.recorder.Snapshot().Save(p.dir))
}

// Close ends the run: evidence when it failed, the cluster deleted unless it is
// kept, the order of the phases checked, the timeline written, the outcome told.
// It returns failure joined with whatever went wrong meanwhile.
func (p *Pipeline) Close(ctx context.Context, failure error) error {
	if failure != nil && ctx.Err() == nil {
		failure = p.explain(ctx, failure) // As long as things are as they were.
	}
	if failure != nil && (ctx.Err() == nil || errors.Is(context.Cause(ctx), ErrDeadline)) {
		p.evidence(ctx, failure)
	}
	err := errors.Join(stopped(ctx, failure), p.teardown(ctx), p.leftover.End())
	timeline := p.recorder.Snapshot().Join(p.shards...)
	err = errors.Join(err, timeline.CheckOrder())
	timeline = p.recorder.Finish(result(ctx, err), err).Join(p.shards...)
	if saveErr := timeline.Save(p.dir); saveErr != nil {
		err = errors.Join(err, room.Explain(saveErr, p.places(context.WithoutCancel(ctx))...))
	}
	if p.summary != nil {
		if err := report.Measured(p.o.Artifacts, p.suite.Name).Save(p.dir); err != nil {
			fmt.Fprintf(p.o.Out, "  there is no %s: %v\n", shard.TimesName, err) // A run is no worse without it.
		}
	}
	p.writePage(ctx, timeline)
	if trace.Wanted(p.o.Getenv) {
		if err := trace.Export(context.WithoutCancel(ctx), p.o.Getenv, timeline); err != nil {
			fmt.Fprintf(p.o.Out, "  %v\n", err) // A run is no worse without it.
		}
	}
	p.tell(timeline, err)
	p.Release()
	return err
}

// explain adds to an error what lies behind it and the command that failed cannot know:
// a disk that is full, an engine that is gone.
func (p *Pipeline) explain(ctx context.Context, err error) error {
	if p.engine != nil && !cluster.Lost(err) {
		if gone := p.engine.Gone(ctx); gone != nil {
			return errors.Join(gone, err)
		}
	}
	return room.Explain(err, p.places(ctx)...)
}

// Release lets go of the checkout. Only a caller that ends a run without Close needs
// it, and only when its process goes on.
func (p *Pipeline) Release() {
	if p.lock != nil {
		_ = p.lock.Unlock() // The process ends soon, which unlocks as well.
	}
}

// teardown deletes the cluster unless it is to be kept. It runs on a context of
// its own: a run that was stopped still leaves nothing behind.
func (p *Pipeline) teardown(ctx context.Context) error {
	if p.cluster == nil {
		return nil
	}
	if p.cluster.Kept() && !p.failedCreation() && !p.abandoned {
		return p.cluster.Used()
	}
	return p.group(report.PhaseTeardown, 0).Run(context.WithoutCancel(ctx), p.deleteCluster())
}

func (p *Pipeline) deleteCluster() task.Task {
	if p.o.Existing.Named {
		return task.Task{Name: "cluster.clean", Run: p.cleanCluster}
	}
	return task.Task{Name: "cluster.delete", Run: func(ctx context.Context, h *task.Handle) error {
		h.Detail("%s", p.cluster.Name())
		return fault.With(p.cluster.Delete(ctx, h), "mage down")
	}}
}

// failedCreation tells whether the cluster never came to work: such a one is
// deleted even when it was to be kept.
func (p *Pipeline) failedCreation() bool { return p.created && p.deployer == nil }
