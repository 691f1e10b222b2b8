package hybrid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/deploy"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// What is different in a cluster that somebody else made.

// Existing names such a cluster.
type Existing struct {
	// Named says that there is one; without it a Kind cluster is made.
	Named bool
	// Kubeconfig is the file that says how it is reached, and Context the name in it,
	// which may be empty when there is no other.
	Kubeconfig, Context string
}

const (
	// courierPackage is the program that delivers coverage, courierName what it is called
	// as an image.
	courierPackage = "github.com/hybrid-e2e/hybrid/hybrid/delivery/courier"
	courierName    = "hybrid-courier"
	// existingFolder has, in the suite's folder, a note and a kubeconfig of each run that
	// has objects in a cluster.
	existingFolder = "existing"
	// cleanTimeout bounds the removal of what the run made there.
	cleanTimeout = 3 * time.Minute
)

// foreign is what a run notes before it makes anything in a cluster of others.
type foreign struct {
	// Isolation is the run's id there, Kubeconfig the run's own file.
	Isolation  string `json:"isolation"`
	Kubeconfig string `json:"kubeconfig"`
}

// checkExisting finds settings that make no sense in a cluster of others.
func (o Options) checkExisting() error {
	if !o.Existing.Named {
		return nil
	}
	var errs []error
	add := func(wrong bool, text, next string) {
		if wrong {
			errs = append(errs, fault.With(errors.New("CLUSTER=existing: "+text), next))
		}
	}
	add(o.Registry.IsZero(), "no registry is named from which its nodes pull images", "set REGISTRY to host[:port][/path], as its nodes reach it")
	add(o.Keep, "what a run deploys there goes with the run", "unset KEEP_CLUSTER")
	add(o.FixedPorts, "the numbers of ports are the cluster's to give", "unset FIXED_PORTS")
	add(o.Workers > 0, "its nodes are none of ours", "unset WORKERS")
	return errors.Join(errs...)
}

// isolate gives the suite's objects names of the run's own: two runs that begin in the same
// second have different ones.
func (p *Pipeline) isolate() error {
	if !p.o.Existing.Named {
		return nil
	}
	var objects []deploy.Object
	for _, path := range p.suite.manifests() {
		found, err := deploy.Load(p.o.Root, path)
		if err != nil {
			return err
		}
		objects = append(objects, found...)
	}
	const random = 5
	id := p.started.UTC().Format("20060102-150405") + "-" + rand.String(random)
	isolation, err := deploy.Isolate(id, objects)
	p.isolation = isolation
	return err
}

// namespace is where the suite's stores and services run.
func (p *Pipeline) namespace() string { return p.isolation.Namespace(p.suite.Namespace) }

// own is a file of the run's in the folder of those that have objects in a cluster.
func (p *Pipeline) own(isolation deploy.Isolation, suffix string) string {
	return filepath.Join(p.state, existingFolder, strings.TrimPrefix(isolation.Suffix(), "-")+suffix)
}

// checkAccess finds out, before anything is built, whether the cluster answers and lets the
// run do its work.
func (p *Pipeline) checkAccess(ctx context.Context, h *task.Handle) error {
	c, err := p.adopt()
	if err != nil {
		return err
	}
	defer c.Delete(ctx, h) //nolint:errcheck // The run's copy, which is written again.
	version, _, err := c.Access(ctx)
	h.Detail("cluster %s, Kubernetes %s", c.Name(), version)
	return err
}

func (p *Pipeline) adopt() (*cluster.Cluster, error) {
	file := p.o.Existing.Kubeconfig
	if file != "" && !filepath.IsAbs(file) {
		file = filepath.Join(p.o.Root, file)
	}
	if err := os.MkdirAll(filepath.Join(p.state, existingFolder), 0o755); err != nil {
		return nil, err
	}
	return cluster.Adopt(file, p.o.Existing.Context, p.own(p.isolation, ".kubeconfig"))
}

func (p *Pipeline) adoptCluster(_ context.Context, h *task.Handle) error {
	c, err := p.adopt()
	if err != nil {
		return err
	}
	p.cluster = c
	h.Detail("%s, names end with %s", c.Name(), p.isolation.Suffix())
	note, err := json.Marshal(foreign{Isolation: strings.TrimPrefix(p.isolation.Suffix(), "-"), Kubeconfig: c.Kubeconfig})
	if err != nil {
		return err
	}
	return os.WriteFile(p.own(p.isolation, ".json"), note, 0o600)
}

// publish brings the images into the registry, by what they hold, and the courier with
// them; from then on the deployer knows the references that nodes pull.
func (p *Pipeline) publish(ctx context.Context) error {
	architecture, err := p.architecture(ctx)
	if err != nil {
		return err
	}
	if p.plans, err = p.forNodes(architecture); err != nil {
		return err
	}
	refs := make([]string, len(p.plans))
	for i, plan := range p.plans {
		refs[i] = plan.Ref
	}
	r := p.o.Registry
	var courier string
	tasks := []task.Task{{Name: "registry.push", Run: func(ctx context.Context, h *task.Handle) error {
		if _, err := load.Policy(ctx, p.engine, p.started, refs...); err != nil {
			return err
		}
		sent, err := r.Push(ctx, p.engine, h, refs...)
		if err == nil {
			p.pinned, err = r.Pinned(ctx, refs...)
		}
		if err != nil {
			return fault.With(err, "docker login "+r.String()+" where it wants credentials, then again")
		}
		if len(sent) == 0 {
			h.Cached("%s has all %d images", r, len(refs))
		} else {
			h.Detail("%d of %d images to %s", len(sent), len(refs), r)
		}
		return nil
	}}}
	if !p.o.Plain {
		tasks = append(tasks, task.Task{Name: "registry.courier", Run: func(ctx context.Context, h *task.Handle) (err error) {
			courier, err = p.pushCourier(ctx, h, architecture)
			return err
		}})
	}
	if err := p.group(report.PhaseLoad, 0).Run(ctx, tasks...); err != nil {
		return err
	}
	p.courier = courier
	d, err := p.newDeployer(p.start)
	p.deployer = d
	return err
}

// pushCourier compiles the program that delivers coverage and publishes it.
func (p *Pipeline) pushCourier(ctx context.Context, h *task.Handle, architecture string) (string, error) {
	file := filepath.Join(p.state, courierName+"-"+architecture)
	if err := p.compile(ctx, h, architecture, "build", "-o", file, courierPackage); err != nil {
		return "", fault.With(fmt.Errorf("compile the program that delivers coverage: %w", err), "COVERAGE=0 does without")
	}
	ref, err := p.o.Registry.PushPrograms(ctx, courierName, architecture, file)
	h.Detail("%s", ref)
	return ref, err
}

// architecture is that of the cluster's nodes.
func (p *Pipeline) architecture(ctx context.Context) (string, error) {
	_, platform, err := p.cluster.Access(ctx)
	return path.Base(platform), err
}

// compile runs the go command for a program that needs no files of the machine it runs on.
func (p *Pipeline) compile(ctx context.Context, h *task.Handle, architecture, verb string, args ...string) error {
	_, err := p.o.Runner.Run(ctx, command.Command{
		Args: append([]string{"go", verb, "-trimpath", "-ldflags=-s -w"}, args...), Dir: p.o.Root,
		Env: []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + architecture}, Log: h,
	})
	return err
}

// receive begins to receive coverage in a cluster of others. It ends with cleanCluster.
func (p *Pipeline) receive(ctx context.Context) error {
	if p.courier == "" {
		return nil
	}
	log, err := os.OpenFile(filepath.Join(p.dir, "logs", "coverage.deliveries.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	p.deliveryLog = log
	p.deliveries, err = p.deployer.Receive(ctx, log, p.rawCoverage())
	return err
}

// reached completes an environment with how its endpoints are reached from here.
func (p *Pipeline) reached(ctx context.Context, env Environment) (Environment, error) {
	var paths []string
	for _, w := range p.suite.Workloads {
		paths = append(paths, w.Manifests)
	}
	reach, err := p.deployer.Reach(ctx, paths...)
	if err != nil {
		return env, err
	}
	env.Node, env.Suffix, env.Labels = reach.Node, p.isolation.Suffix(), p.isolation.Labels()
	for _, e := range p.suite.Endpoints {
		url, ok := reach.URLs[e.NodePort]
		if !ok {
			return env, fault.With(fmt.Errorf("endpoint %s: no Service of the suite's manifests has the NodePort %d", e.Name, e.NodePort), "mend the suite's declaration")
		}
		env.Endpoints[e.Name] = url
	}
	for name, ref := range env.Images {
		env.Images[name] = p.pinned[ref]
	}
	return env, nil
}

// cleanCluster removes all that the run made in a cluster of others.
func (p *Pipeline) cleanCluster(ctx context.Context, h *task.Handle) error {
	if p.deliveries != nil {
		p.deliveries.Close()
		p.deliveries = nil
		_ = p.deliveryLog.Close() // What is in it is of no use to the next step.
	}
	h.Detail("%s", p.cluster.Name())
	return p.clean(ctx, h, p.cluster, p.isolation)
}

func (p *Pipeline) clean(ctx context.Context, out io.Writer, c *cluster.Cluster, isolation deploy.Isolation) error {
	ctx, cancel := context.WithTimeoutCause(ctx, cleanTimeout, fmt.Errorf("not done within %s", cleanTimeout))
	defer cancel()
	d, err := deploy.New(deploy.Options{
		Config: c.REST, Root: p.o.Root, Namespace: p.suite.Namespace, Kubeconfig: c.Kubeconfig, Isolation: isolation, Timeout: cleanTimeout,
	})
	if err != nil {
		return err
	}
	if err := d.Remove(ctx, out); err != nil {
		return fmt.Errorf("remove the run from cluster %s: %w", c.Name(), err)
	}
	return errors.Join(os.Remove(p.own(isolation, ".json")), c.Delete(ctx, out))
}

// cleanKilled removes what killed runs of the suite left in clusters of others, and says
// so. A cluster that is gone must not hold up anybody.
func (p *Pipeline) cleanKilled(ctx context.Context, out io.Writer) []string {
	notes, _ := filepath.Glob(filepath.Join(p.state, existingFolder, "*.json")) // The pattern is a good one.
	var remarks []string
	for _, file := range notes {
		name, id, err := p.cleanNoted(ctx, out, file)
		if err != nil {
			remarks = append(remarks, fmt.Sprintf("run %s may have left something: %s; delete %s if its cluster is gone", id, firstLine(err), file))
		} else {
			remarks = append(remarks, fmt.Sprintf("removed run %s from cluster %s, which was cut off", id, name))
		}
	}
	return remarks
}

func (p *Pipeline) cleanNoted(ctx context.Context, out io.Writer, file string) (name, id string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	var note foreign
	if err := json.Unmarshal(text, &note); err != nil {
		return "", "", err
	}
	c, err := cluster.Adopt(note.Kubeconfig, "", note.Kubeconfig)
	if err != nil {
		return "", note.Isolation, err
	}
	isolation, err := deploy.Isolate(note.Isolation, nil)
	if err != nil {
		return "", note.Isolation, err
	}
	return c.Name(), note.Isolation, p.clean(ctx, out, c, isolation)
}

// wholeRun refuses phases that would leave something in a cluster of others to a command
// that may never come.
func (o Options) wholeRun() error {
	if !o.Existing.Named {
		return nil
	}
	return fault.With(errors.New("CLUSTER=existing: a single phase would leave its objects there"), "mage e2e:<suite>, or unset CLUSTER")
}
