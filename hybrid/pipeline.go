package hybrid

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/hybrid-e2e/hybrid/hybrid/buildkit"
	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/deploy"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/leftover"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
	"github.com/hybrid-e2e/hybrid/hybrid/progress"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// Pipeline is one run of one suite. Its phases are called in order: Build,
// Cluster, Load, Deploy, Test, Collect, Close; a phase called too early refuses.
type Pipeline struct {
	suite Suite
	o     Options
	run   string
	// dir is the run's folder of artifacts, state the suite's folder that
	// outlives the run.
	dir, state string
	started    time.Time

	lock     *flock.Flock
	leftover *leftover.Run
	printer  *progress.Printer
	usual    report.Usual
	recorder *report.Recorder

	// routed says that nodes are reached at their own addresses, so that no spare port is
	// mapped.
	routed bool
	// inventory knows the clusters of the checkout; remark says what it cannot know,
	// empty for nothing.
	inventory cluster.Inventory
	remark    string

	engine  *engine.Engine
	builder image.Builder // It makes the suite's images; nil is the engine's own.
	images  *offline.Images
	node    string // The node image of the cluster.
	plans   []image.Plan
	// foreignPlans are those for other platforms than this machine's.
	foreignPlans map[string][]image.Plan
	specs        []string  // The programs with the specs.
	division     *division // Nil when the run has all specs.
	cluster      *cluster.Cluster
	deployer     *deploy.Deployer
	// isolation gives the suite names of its own in a cluster that exists, pinned the
	// references under which its nodes pull the images; courier is the image that
	// delivers coverage there, and deliveries is where it arrives. All are empty on Kind.
	isolation  deploy.Isolation
	pinned     map[string]string
	courier    string
	deliveries *deploy.Deliveries
	// job runs the specs of a shard in the cluster; nil runs them here.
	job *shardJob
	// deliveryLog tells which pods delivered what.
	deliveryLog *os.File
	env         *Environment
	created     bool
	// start names the start of the instrumented services that is measured.
	start   string
	summary *report.Summary
	// abandoned says that a step failed on a cluster which an earlier step of this
	// process made and kept for it.
	abandoned bool
	// clusters is how many shards the run makes a cluster for at the same time; zero when it
	// is not divided, or has one shard alone.
	clusters int
	// processors are those that the specs have; zero means all of the machine.
	processors int
	// shards are the timelines of the shards whose reports this run has merged.
	shards []report.Shard
	// covered is what Collect came to.
	covered coverage.Result
	// evidenced says that the evidence of a failure has been kept.
	evidenced bool
}

// usualRuns bounds the runs that are read for how long tasks usually take.
const usualRuns = 10

// Open validates the suite and prepares a run: nothing is built or created
// before every file, name, port and setting has been found in order. When it
// fails, the error has been told to o.Out already.
func Open(ctx context.Context, suite Suite, o Options) (*Pipeline, error) {
	p := newPipeline(suite, o.withDefaults())
	if part := p.o.Shard.Name(); part != "" {
		p.run, p.state = p.run+"-"+part, filepath.Join(p.state, part)
	}
	p.begin()
	if err := p.open(ctx); err != nil {
		return nil, p.Close(ctx, err)
	}
	return p, nil
}

// newPipeline has the names and folders of a run that begins now.
func newPipeline(suite Suite, o Options) *Pipeline {
	started := o.Now()
	return &Pipeline{
		suite: suite, o: o, started: started, foreignPlans: map[string][]image.Plan{},
		run:   started.UTC().Format("20060102-150405") + "-" + suite.Name,
		state: filepath.Join(o.Root, cluster.StateFolder, suite.Name),
	}
}

// begin begins to tell and to record, once the run has its name.
func (p *Pipeline) begin() {
	p.usual = report.UsualOf(report.Recent(p.o.Artifacts, p.suite.Name), usualRuns)
	p.printer = p.newPrinter()
	p.dir = filepath.Join(p.o.Artifacts, p.run)
	p.recorder = report.NewRecorder(p.run, p.suite.Name, p.started)
}

func (p *Pipeline) newPrinter() *progress.Printer {
	return progress.New(p.o.Out, progress.Options{Verbose: p.o.Verbose, Getenv: p.o.Getenv, Expected: p.usual})
}

func (p *Pipeline) open(ctx context.Context) error {
	if err := p.o.checkExisting(); err != nil {
		return err
	}
	for _, dir := range []string{p.dir, p.state} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fault.With(fmt.Errorf("create a folder of the run: %w", err), "make "+filepath.Dir(dir)+" writable, or set ARTIFACTS")
		}
	}
	lock, err := cluster.Lock(p.o.Root)
	if err != nil {
		return err
	}
	p.lock = lock
	p.inventory, p.remark = inventory(p.o)
	if p.leftover, err = leftover.Begin(p.notes(), p.run, p.half); err != nil {
		return err
	}
	if err := p.linkLatest(); err != nil {
		return err
	}
	tasks := []task.Task{
		{Name: "suite", Run: p.checkSuite},
		{Name: "engine", Run: p.findEngine},
		{Name: "images.source", Needs: []string{"engine"}, Run: p.decideImages},
		{Name: "room", Needs: []string{"engine", "leftovers"}, Run: p.checkRoom},
		{Name: "leftovers", Needs: []string{"engine"}, Run: p.reap},
	}
	if p.o.Existing.Named {
		tasks = append(tasks, task.Task{Name: "access", Needs: []string{"suite", "leftovers"}, Run: p.checkAccess})
	} else {
		tasks = append(tasks, task.Task{Name: "ports", Needs: []string{"leftovers"}, Run: p.checkPorts})
	}
	return p.group(report.PhasePreflight, 0).Run(ctx, tasks...)
}

// linkLatest points <artifacts>/latest at this run.
func (p *Pipeline) linkLatest() error {
	tmp := filepath.Join(p.o.Artifacts, ".latest-"+p.run)
	if err := os.Symlink(p.run, tmp); err != nil {
		return fmt.Errorf("link the latest run: %w", err)
	}
	return os.Rename(tmp, filepath.Join(p.o.Artifacts, "latest"))
}

// group is a task group of this run.
func (p *Pipeline) group(phase string, limit int) task.Group {
	return task.Group{
		Phase: phase, Limit: limit, LogDir: filepath.Join(p.dir, "logs"),
		Observer: task.Observers{p.recorder, p.printer},
		Clock:    p.o.Now,
	}
}

// checkSuite finds mistakes in the declaration, the manifests and the
// Dockerfiles, before any work starts.
func (p *Pipeline) checkSuite(_ context.Context, h *task.Handle) error {
	if err := p.suite.Validate(p.o.Root); err != nil {
		return fault.With(err, "mend the suite's declaration")
	}
	known := map[string]bool{}
	for _, img := range p.suite.Images {
		known[image.Registry+"/"+img.Name] = true
	}
	if err := deploy.Check(p.o.Root, p.suite.manifests(), known); err != nil {
		return fault.With(err, "mend the manifest, then mage build")
	}
	if err := p.isolate(); err != nil {
		return fault.With(err, "mend the manifest, or unset CLUSTER")
	}
	// The bases are being decided at the same time; the keys computed here only
	// prove that every Dockerfile parses and finds what it copies.
	if _, err := image.Plans(image.Options{Root: p.o.Root, Epoch: p.o.Epoch}, p.imageSpecs()); err != nil {
		return fault.With(err, "mend the Dockerfile, then mage build")
	}
	if err := p.checkPlatforms(); err != nil {
		return err
	}
	h.Detail("%s: %d images, %d workloads, %d endpoints", p.suite.Name, len(p.suite.Images), len(p.suite.Workloads), len(p.suite.Endpoints))
	return nil
}

func (p *Pipeline) findEngine(ctx context.Context, h *task.Handle) error {
	e, err := engine.Detect(ctx, p.o.Runner, p.o.Engine)
	if err != nil {
		return err
	}
	e.Mark = p.leftover.Mark()
	p.engine = e
	h.Detail("%s %s", e.Kind, e.Version)
	if len(p.o.foreign()) > 0 && e.Kind != engine.Docker {
		return fault.With(fmt.Errorf("PLATFORMS: %s was never tried for images of other platforms", e.Kind), "CONTAINER_ENGINE=docker, or unset PLATFORMS")
	}
	if p.o.BuildKit == "" {
		return nil
	}
	b, err := buildkit.New(ctx, e, p.o.BuildKit, p.o.BuildCache)
	if err != nil {
		return err
	}
	p.builder = b
	h.Detail("%s %s, builds by BuildKit at %s", e.Kind, e.Version, b)
	return nil
}

// decideImages chooses between the pinned images and their local stand-ins.
func (p *Pipeline) decideImages(ctx context.Context, h *task.Handle) error {
	source, reason, err := offline.Decide(ctx, p.engine, p.o.ImageSource)
	if err != nil {
		return err
	}
	p.images = &offline.Images{Source: source}
	p.recorder.SetImageSource(string(source))
	h.Detail("%s: %s", source, reason)
	return nil
}

// notes is the folder in which runs of this checkout note what belongs to them.
func (p *Pipeline) notes() string { return filepath.Join(p.o.Root, cluster.StateFolder, "runs") }

// half notes what the run would leave half made if it were killed.
func (p *Pipeline) half(n *leftover.Note) {
	folders, images := offline.Halves(n.Mark)
	n.Folders = append(n.Folders, folders...)
	n.Images = append(n.Images, images...)
}

// reap removes what killed runs of this checkout left behind, processes first and
// clusters last, and the clusters that were kept and have expired.
func (p *Pipeline) reap(ctx context.Context, h *task.Handle) error {
	remarks, err := leftover.Sweep(ctx, p.notes(), p.leftover, p.engine)
	if err != nil {
		return fault.With(err, "mage doctor")
	}
	for i, what := range remarks {
		remarks[i] = "removed " + what
	}
	done, err := p.inventory.Reap(ctx, h)
	if err != nil {
		return fault.With(err, "mage down")
	}
	for _, o := range done {
		remarks = append(remarks, "deleted "+o.Name+": "+o.Reason)
	}
	remarks = append(remarks, p.cleanKilled(ctx, h)...)
	if p.remark != "" {
		remarks = append(remarks, p.remark)
	}
	h.Detail("%s", strings.Join(remarks, "; "))
	return nil
}

// checkPorts finds taken ports before anything is built.
func (p *Pipeline) checkPorts(ctx context.Context, h *task.Handle) error {
	if !p.o.FixedPorts {
		var err error
		p.routed, err = p.engine.Routed(ctx)
		h.Detail("chosen free when the cluster is made: %d", len(p.ports()))
		return err
	}
	h.Detail("fixed: %d", len(p.ports()))
	return cluster.CheckPorts(ctx, p.state, p.ports())
}

// ports are the mappings that the suite's endpoints need. Each takes the engine some 0.1 s
// to make and remove, so those that are spare are mapped only where a node's own address
// does not do.
func (p *Pipeline) ports() []cluster.Port {
	endpoints := p.suite.Endpoints
	if !p.routed {
		endpoints = slices.Concat(endpoints, p.suite.Spare)
	}
	ports := make([]cluster.Port, len(endpoints))
	for i, e := range endpoints {
		ports[i] = cluster.Port{Name: e.Name, Node: e.NodePort}
	}
	return ports
}

// Environment is what the specs are handed; nil before Deploy.
func (p *Pipeline) Environment() *Environment { return p.env }

// Artifacts is the run's folder.
func (p *Pipeline) Artifacts() string { return p.dir }
