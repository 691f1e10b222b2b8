package hybrid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/room"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// baseLimit bounds the making of base images: one of them compiles Kubernetes on all
// processors, the rest mostly waits for the network.
const baseLimit = 3

// Build makes every image that does not exist under its content key, bases
// first, and compiles the specs. It creates no cluster. It may be called again.
func (p *Pipeline) Build(ctx context.Context) error {
	node, err := p.bases(ctx, false)
	if err != nil {
		return err
	}
	o := p.imageOptions()
	plans, err := image.Plans(o, p.imageSpecs())
	if err != nil {
		return err
	}
	tasks, err := image.Tasks(ctx, o, plans)
	if err != nil {
		return err
	}
	foreign, err := p.foreignTasks(ctx, plans)
	if err != nil {
		return err
	}
	var binaries []string
	specs := task.Task{Name: "specs." + p.suite.Name, Run: func(ctx context.Context, h *task.Handle) (err error) {
		binaries, err = p.compileSpecs(ctx, h)
		return err
	}}
	// The node image comes first: what needs it takes longest.
	tasks = slices.Concat(node, tasks, foreign, []task.Task{specs}, p.dividing(max(p.o.Shard.Of, p.clusters), &binaries), p.preload(plans, node))
	if err := p.group(report.PhaseBuild, buildLimit()).Run(ctx, tasks...); err != nil {
		return err
	}
	p.plans, p.specs = plans, binaries
	return nil
}

// bases sees to the base images, by the registry where there is one. The tasks returned
// give the node image, beside the builds: only a cluster needs it.
func (p *Pipeline) bases(ctx context.Context, all bool) ([]task.Task, error) {
	if err := p.pull(ctx, all); err != nil {
		return nil, err
	}
	bases, node, err := offline.Tasks(ctx, p.o.offline(p.engine, p.images.Source, p.leftover.Mark()), p.images)
	if err != nil {
		return nil, err
	}
	if err := p.group(report.PhaseImages, baseLimit).Run(ctx, bases...); err != nil {
		return nil, err
	}
	p.recorder.SetStandIns(p.images.StandIns)
	return node, nil
}

// offline are the options for base images and the node image.
func (o Options) offline(e *engine.Engine, source offline.Source, mark string) offline.Options {
	return offline.Options{
		Root: cmp.Or(o.StandIns, o.Root), Engine: e, Runner: o.Runner, Source: source, Transport: o.Transport,
		Mark: mark, PullTimeout: o.PullTimeout, NoNode: o.Existing.Named, Foreign: o.foreign(),
	}
}

// compilerGOGC trades memory for time: client-go is compiled in 53 s instead of 63 s
// with the default of 100, for 500 MB instead of 365 MB in the largest compile.
const compilerGOGC = "400"

// compileSpecs makes a program of each package of specs, in the order in which they run.
// Go links it anew each time; the tables that are left out are for debuggers, which
// nobody runs on it.
func (p *Pipeline) compileSpecs(ctx context.Context, h *task.Handle) ([]string, error) {
	var binaries []string
	for i, specs := range append([]string{p.suite.Specs}, p.suite.MoreSpecs...) {
		// Ginkgo names the reports of suites after their folders.
		binary := filepath.Join(p.state, p.suite.Name+".test")
		if i > 0 {
			binary = filepath.Join(p.state, "specs-"+strconv.Itoa(i+1), p.suite.Name+".test")
		}
		if _, err := p.o.Runner.Run(ctx, command.Command{
			Args: []string{"go", "test", "-c", "-ldflags=-s -w", "-o", binary, specs}, Dir: p.o.Root, Env: []string{"GOGC=" + compilerGOGC}, Log: h,
		}); err != nil {
			return nil, fault.With(err, "mend the specs, then mage build")
		}
		binaries = append(binaries, binary)
	}
	return binaries, nil
}

// preload decides the node image of the cluster: one that starts with the images,
// which is made once for all that do not change with the code. It needs the images and
// the tasks of the node image without them, and does not wait for the specs.
func (p *Pipeline) preload(plans []image.Plan, node []task.Task) []task.Task {
	p.node = p.images.Node
	if p.o.NoPreload || p.o.Existing.Named {
		return nil
	}
	t := load.PreloadTask(p.preloadOptions(plans), &p.node)
	for _, plan := range plans {
		t.Needs = append(t.Needs, plan.TaskName())
	}
	for _, n := range node {
		t.Needs = append(t.Needs, n.Name)
	}
	return []task.Task{t}
}

func (p *Pipeline) preloadOptions(plans []image.Plan) load.PreloadOptions {
	o := load.PreloadOptions{Engine: p.engine, Node: p.images.Node, Changes: offline.NodeEntry()}
	for i, plan := range plans {
		o.Refs = append(o.Refs, plan.Ref)
		if p.suite.Images[i].Coverage {
			o.Changing = append(o.Changing, plan.Ref)
		}
	}
	return o
}

// buildLimit is how many images are built at once: what the free memory allows.
func buildLimit() int {
	limit := runtime.NumCPU()
	if free, err := room.Memory(meminfo); err == nil {
		limit = min(limit+2, int(free/room.Build))
	}
	return max(1, limit)
}

func (p *Pipeline) imageSpecs() []image.Spec {
	specs := make([]image.Spec, len(p.suite.Images))
	for i, img := range p.suite.Images {
		args := maps.Clone(img.BuildArgs)
		if img.Coverage {
			if args == nil {
				args = map[string]string{}
			}
			args["COVERAGE"] = "1"
			if p.o.Plain {
				args["COVERAGE"] = "0"
			}
		}
		specs[i] = image.Spec{Name: img.Name, Dockerfile: img.Dockerfile, Args: args}
	}
	return specs
}

// imageOptions are complete once the bases are.
func (p *Pipeline) imageOptions() image.Options {
	args := maps.Clone(p.images.BuildArgs)
	for name := range args {
		if replaced, ok := p.o.BaseImages[name]; ok {
			args[name] = replaced
		}
	}
	o := image.Options{Root: p.o.Root, Engine: p.engine, Builder: p.builder, Args: args, Transport: p.o.Transport, Epoch: p.o.Epoch, Timeout: p.o.BuildTimeout}
	if p.images.Source == offline.Local {
		// Without a registry the machine's own network is the one that is known
		// to reach a module proxy.
		o.Network = "host"
	}
	return o
}

// clusterOf is what the cluster is called after: the suite, and the shard if the run is one.
func (p *Pipeline) clusterOf() string {
	if part := p.o.Shard.Name(); part != "" {
		return p.suite.Name + "-" + part
	}
	return p.suite.Name
}

// Cluster makes or reuses the cluster, proves that it works and applies the
// suite's namespaces and CRDs. It refuses to start before Build has ended.
func (p *Pipeline) Cluster(ctx context.Context) error {
	if p.plans == nil {
		return errors.New("cluster: refused, since the images are not built: no cluster is made before everything it needs exists")
	}
	// The nodes mount it, where they are ours.
	if err := os.MkdirAll(p.rawCoverage(), 0o755); err != nil {
		return fmt.Errorf("create the folder for coverage data: %w", err)
	}
	phase, have := report.PhaseCluster, task.Task{Name: "cluster.create", Run: p.createCluster}
	if p.o.Existing.Named {
		have = task.Task{Name: "cluster.adopt", Run: p.adoptCluster}
	}
	if p.pinned != nil {
		// A shard of a Job: the cluster is there, with the images, and a further part of it begins.
		phase = report.PhaseDeploy
	}
	return p.group(phase, 0).Run(ctx, have, task.Task{Name: "cluster.setup", Needs: []string{have.Name}, Run: p.setupCluster})
}

func (p *Pipeline) createCluster(ctx context.Context, h *task.Handle) error {
	c, err := cluster.Ensure(ctx, cluster.Options{
		Config: cluster.Config{
			Name: cluster.Name(p.clusterOf(), p.o.Root), NodeImage: p.node, Workers: p.o.Workers,
			CoverData: p.rawCoverage(), Ports: p.ports(),
		},
		Engine: p.engine, Suite: p.suite.Name, Checkout: p.o.Root, State: p.state,
		Leases: p.inventory.Leases, TTL: p.o.ClusterTTL, Keep: p.o.Keep, FixedPorts: p.o.FixedPorts,
	}, h)
	p.cluster = c
	if err != nil {
		p.created = c != nil
		return err
	}
	p.created = !c.Reused
	if c.Reused {
		h.Cached("%s, kept by an earlier run", c.Name())
	} else {
		h.Detail("%s, node image %s", c.Name(), p.node)
	}
	return nil
}

func (p *Pipeline) setupCluster(ctx context.Context, h *task.Handle) error {
	if err := p.takeStart(); err != nil {
		return err
	}
	sources := p.sources(p.start)
	if err := errors.Join(coverage.Clean(p.rawCoverage(), sources), coverage.Prepare(p.rawCoverage(), sources)); err != nil {
		return err
	}
	d, err := p.newDeployer(p.start)
	if err != nil {
		return err
	}
	p.deployer = d
	if err := d.Setup(ctx, h, p.suite.Setup...); err != nil {
		return err
	}
	for _, s := range p.suite.Secrets {
		if err := d.Secret(ctx, s.Name, s.Fixed, s.Random); err != nil {
			return err
		}
	}
	h.Detail("namespaces, CRDs, %d secrets", len(p.suite.Secrets))
	return nil
}

// Load brings the images onto every node, or into the registry from which the nodes of a
// cluster that exists pull them.
func (p *Pipeline) Load(ctx context.Context) error {
	if p.deployer == nil {
		return errors.New("load: refused, since there is no cluster yet")
	}
	if p.o.Existing.Named {
		return p.publish(ctx)
	}
	ctx, stop := p.cluster.Watch(ctx)
	defer stop()
	nodes, err := p.cluster.Nodes(ctx)
	if err != nil {
		return err
	}
	node, err := p.engine.Inspect(ctx, p.node)
	if err != nil {
		return err
	}
	if p.plans, err = p.forNodes(cmp.Or(node[p.node].Architecture, runtime.GOARCH)); err != nil {
		return err
	}
	refs := make([]string, len(p.plans))
	for i, plan := range p.plans {
		refs[i] = plan.Ref
	}
	o := load.Options{Engine: p.engine, Nodes: nodes, Refs: refs, Now: p.started}
	if p.created {
		o.Held = load.Held(node[p.node].Config.Labels)
	}
	return p.group(report.PhaseLoad, 0).Run(ctx, load.Tasks(o)...)
}

// Deploy applies all workloads in parallel and waits, once, until every rollout
// is complete and every endpoint answers from the host.
func (p *Pipeline) Deploy(ctx context.Context) error {
	if p.deployer == nil {
		return errors.New("deploy: refused, since there is no cluster with the images yet")
	}
	ctx, stop := p.cluster.Watch(ctx)
	defer stop()
	var tasks []task.Task
	var all []string
	for _, w := range p.suite.Workloads {
		var needs []string
		for _, n := range w.Needs {
			needs = append(needs, "deploy."+n)
		}
		name := "deploy." + w.Name
		all = append(all, name)
		tasks = append(tasks, task.Task{Name: name, Needs: needs, Run: func(ctx context.Context, h *task.Handle) error {
			return p.deployer.Workload(ctx, h, w.Manifests)
		}})
	}
	if err := p.receive(ctx); err != nil {
		return err
	}
	var env Environment
	tasks = append(tasks, task.Task{Name: "deploy.answers", Needs: all, Run: func(ctx context.Context, h *task.Handle) (err error) {
		if env, err = p.environment(ctx); err != nil {
			return err
		}
		if err := p.awaitAnswers(ctx, env); err != nil {
			return err
		}
		h.Detail("%d endpoints on %s", len(env.Endpoints), cmp.Or(env.Node, "127.0.0.1"))
		return env.save(p.environmentFile())
	}})
	if err := p.group(report.PhaseDeploy, 0).Run(ctx, tasks...); err != nil {
		return err
	}
	p.env = &env
	return nil
}
