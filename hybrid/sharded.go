package hybrid

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/progress"
	"github.com/hybrid-e2e/hybrid/hybrid/shard"
)

// maxClusters is more than one engine can run.
const maxClusters = 20

// EndToEndSharded takes one suite from sources to tested in n clusters at the same time: it
// builds once, gives each cluster its part of the specs, and makes one report of all. A
// shard that fails does not keep the others from their end. It is one run of the checkout,
// which holds its lock: every cluster is known as one of the checkout's and goes with the
// run. The outcome has been told to o.Out when it returns.
func EndToEndSharded(ctx context.Context, suite Suite, o Options, n int) error {
	o = o.withDefaults()
	if err := severalClusters(o, n); err != nil {
		return progress.Tell(o.Out, o.Getenv, err)
	}
	ctx, impatient := patient(ctx)
	defer impatient()
	ctx, stop := Stoppable(ctx)
	defer stop()
	defer context.AfterFunc(ctx, func() {
		fmt.Fprintln(o.Out, "stopping: what was made is deleted, which takes some seconds; a second Ctrl-C leaves it to the next run")
	})()
	p := newPipeline(suite, o)
	p.run, p.clusters = p.run+mergedName, n
	p.begin()
	err := p.open(ctx)
	if err == nil {
		err = p.Build(ctx)
	}
	if err == nil {
		err = p.inShards(ctx)
	}
	return p.Close(ctx, err)
}

// severalClusters finds settings that make no sense for several clusters at once.
func severalClusters(o Options, n int) error {
	switch {
	case n < 1 || n > maxClusters:
		return fault.With(fmt.Errorf("%d clusters at the same time: want 1 to %d", n, maxClusters), "mage e2e:sharded 2")
	case o.Shard.Of > 0:
		return fault.With(fmt.Errorf("SHARD=%s is one shard, and all are to run", o.Shard), "unset SHARD, or run the shard by itself")
	case o.Existing.Named:
		return fault.With(errors.New("CLUSTER=existing: the shards of one machine have clusters that it makes"), "mage e2e:job, or unset CLUSTER")
	case o.FixedPorts && n > 1:
		return fault.With(fmt.Errorf("FIXED_PORTS: %d clusters cannot share the ports of this machine", n), "unset FIXED_PORTS")
	}
	return nil
}

// inShards runs all shards to their ends and merges their reports. Failures of all of them
// are in the error.
func (p *Pipeline) inShards(ctx context.Context) error {
	errs := make([]error, p.clusters)
	dirs := make([]string, p.clusters)
	var group sync.WaitGroup
	for i := range p.clusters {
		q, err := p.shardOf(shard.Part{Number: i + 1, Of: p.clusters})
		dirs[i] = q.dir
		group.Go(func() {
			if err == nil {
				err = q.tested(ctx)
			}
			if err = q.Close(ctx, err); err != nil {
				errs[i] = fmt.Errorf("shard %s: %w", q.o.Shard, err)
			}
		})
	}
	group.Wait()
	err := errors.Join(errs...)
	if ctx.Err() == nil {
		err = errors.Join(err, p.merge(ctx, dirs))
	}
	p.shards = told(dirs)
	return err
}

// shardOf is a run of one shard with what has been built. The lock of the checkout, and what
// is left when the process is killed, stay with the run that it is a part of.
func (p *Pipeline) shardOf(part shard.Part) (*Pipeline, error) {
	o := p.o
	o.Shard = part
	o.Out = progress.NewLines(p.printer, part.String())
	// Only the whole run is a terminal's, a step's of a workflow, or a trace.
	o.Getenv = func(string) string { return "" }
	q := newPipeline(p.suite, o)
	q.run = q.run + "-" + part.Name()
	q.state = filepath.Join(q.state, part.Name())
	q.begin()
	q.recorder.SetImageSource(string(p.images.Source))
	q.recorder.SetStandIns(p.images.StandIns)
	q.inventory, q.engine, q.images, q.node = p.inventory, p.engine, p.images, p.node
	q.plans, q.specs, q.division = p.plans, p.specs, p.division
	q.pinned, q.courier = p.pinned, p.courier
	q.processors = max(1, runtime.NumCPU()/part.Of)
	return q, errors.Join(os.MkdirAll(q.dir, 0o755), os.MkdirAll(q.state, 0o755))
}
