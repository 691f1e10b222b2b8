package hybrid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/hybrid-e2e/hybrid/hybrid/delivery"
	"github.com/hybrid-e2e/hybrid/hybrid/deploy"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/progress"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/shard"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// Shards whose specs run in the cluster.

const (
	jobName    = "specs"
	jobPackage = "github.com/hybrid-e2e/hybrid/hybrid/delivery/specs"
	ginkgoCLI  = "github.com/onsi/ginkgo/v2/ginkgo"
	// jobProcessors is how many processors the specs of one pod are taken to have.
	jobProcessors = 2
	// jobKubeconfig is how pods reach the API server, as the account of the run.
	jobKubeconfig = "kubeconfig"
	inPodServer   = "https://kubernetes.default.svc"
	inPodCA       = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
)

// shardJob is the Job with the specs of all shards.
type shardJob struct{ d *deploy.Deployer }

// await has the reports of a shard come from its pod.
func (j *shardJob) await(ctx context.Context, h *task.Handle, q *Pipeline) error {
	if err := j.d.AwaitJob(ctx, h, jobName, q.o.Shard.Number-1, q.dir); err != nil {
		return err
	}
	file := filepath.Join(q.dir, delivery.ExitFile)
	code, err := os.ReadFile(file)
	if err := errors.Join(err, os.Remove(file)); err != nil {
		return err
	}
	if string(code) != "0" {
		return fmt.Errorf("ginkgo ended with exit code %s", code)
	}
	return nil
}

// EndToEndJob takes one suite from sources to tested in a cluster that exists, as n shards,
// each with services of its own, whose specs run in the pods of an Indexed Job: this machine
// builds, and makes one report of all. A shard that fails does not keep the others from
// their end. The outcome has been told to o.Out when it returns.
func EndToEndJob(ctx context.Context, suite Suite, o Options, n int) error {
	o = o.withDefaults()
	if err := inOneCluster(suite, o, n); err != nil {
		return progress.Tell(o.Out, o.Getenv, err)
	}
	ctx, impatient := patient(ctx)
	defer impatient()
	ctx, stop := Stoppable(ctx)
	defer stop()
	p := newPipeline(suite, o)
	p.run, p.clusters = p.run+mergedName, n
	p.begin()
	err := p.open(ctx)
	for _, phase := range []func(context.Context) error{p.Build, p.Cluster, p.Load, p.inJob} {
		if err == nil {
			err = phase(ctx)
		}
	}
	return p.Close(ctx, err)
}

// inOneCluster finds what makes no sense for several shards in one cluster.
func inOneCluster(suite Suite, o Options, n int) error {
	switch {
	case !o.Existing.Named:
		return fault.With(errors.New("the shards of a Job need a cluster that exists"), "CLUSTER=existing KUBECONFIG=<file> REGISTRY=<registry> mage e2e:job 2")
	case n < 1 || n > maxClusters:
		return fault.With(fmt.Errorf("%d shards at the same time: want 1 to %d", n, maxClusters), "mage e2e:job 2")
	case o.Shard.Of > 0:
		return fault.With(fmt.Errorf("SHARD=%s is one shard, and all are to run", o.Shard), "unset SHARD, or run the shard by itself")
	case suite.Alone && n > 1:
		return fault.With(fmt.Errorf("suite %s has to be alone in its cluster, so that it cannot have %d shards there", suite.Name, n), "mage e2e:sharded "+strconv.Itoa(n)+", in clusters of its own")
	}
	return nil
}

// inJob runs all shards to their ends and merges their reports.
func (p *Pipeline) inJob(ctx context.Context) error {
	shards := make([]*Pipeline, p.clusters)
	for i := range shards {
		var err error
		if shards[i], err = p.shardOf(shard.Part{Number: i + 1, Of: p.clusters}); err == nil {
			shards[i].processors = jobProcessors
			err = shards[i].isolate()
		}
		if err != nil {
			return err
		}
	}
	image, err := p.publishSpecs(ctx)
	if err != nil {
		return err
	}
	errs := eachShard(shards, func(q *Pipeline) error { return q.deployShard(ctx) })
	if errors.Join(errs...) == nil {
		errs[0] = p.startJob(ctx, image, shards)
	}
	started := errors.Join(errs...) == nil
	for i, err := range eachShard(shards, func(q *Pipeline) error {
		err := errs[q.o.Shard.Number-1]
		if started {
			if err = q.Test(ctx); err != nil && ctx.Err() == nil {
				q.evidence(ctx, err)
			}
			if ctx.Err() == nil {
				err = errors.Join(err, q.Collect(ctx))
			}
		}
		return q.Close(ctx, err)
	}) {
		errs[i] = nil
		if err != nil {
			errs[i] = fmt.Errorf("shard %s: %w", shards[i].o.Shard, err)
		}
	}
	err = errors.Join(errs...)
	dirs := make([]string, len(shards))
	for i, q := range shards {
		dirs[i] = q.dir
	}
	if ctx.Err() == nil && started {
		err = errors.Join(err, p.merge(ctx, dirs))
	}
	p.shards = told(dirs)
	return err
}

// eachShard does something with all shards at the same time.
func eachShard(shards []*Pipeline, do func(*Pipeline) error) []error {
	errs := make([]error, len(shards))
	var group sync.WaitGroup
	for i, q := range shards {
		group.Go(func() { errs[i] = do(q) })
	}
	group.Wait()
	return errs
}

// told are the timelines of the shards, also of those that came to no result.
func told(dirs []string) []report.Shard {
	var shards []report.Shard
	for i, dir := range dirs {
		if t, err := report.Load(filepath.Join(dir, report.FileName)); err == nil {
			shards = append(shards, report.Shard{Name: shard.Part{Number: i + 1, Of: len(dirs)}.String(), Timeline: t})
		}
	}
	return shards
}

// deployShard deploys what has been published already.
func (p *Pipeline) deployShard(ctx context.Context) error {
	if err := p.Cluster(ctx); err != nil {
		return err
	}
	return p.Deploy(ctx)
}

// publishSpecs compiles the specs, and what runs them, for the nodes and publishes them,
// before anything is deployed that would wait for it.
func (p *Pipeline) publishSpecs(ctx context.Context) (image string, err error) {
	err = p.group(report.PhaseLoad, 0).Run(ctx, task.Task{Name: "registry.specs", Run: func(ctx context.Context, h *task.Handle) error {
		image, err = p.pushSpecs(ctx, h)
		h.Detail("%s", image)
		return err
	}})
	return image, err
}

// startJob starts the Job in the namespace of the whole run.
func (p *Pipeline) startJob(ctx context.Context, image string, shards []*Pipeline) error {
	return p.group(report.PhaseDeploy, 0).Run(ctx, task.Task{Name: "specs.job", Run: func(ctx context.Context, h *task.Handle) error {
		files, err := p.jobFiles(shards)
		if err != nil {
			return err
		}
		if err := p.deployer.StartJob(ctx, deploy.Job{Name: jobName, Image: image, Pods: len(shards), Files: files}); err != nil {
			return err
		}
		for _, q := range shards {
			q.job = &shardJob{p.deployer}
		}
		h.Detail("%d pods in %s", len(shards), p.namespace())
		return nil
	}})
}

func (p *Pipeline) pushSpecs(ctx context.Context, h *task.Handle) (string, error) {
	architecture, err := p.architecture(ctx)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(p.state, jobName+"-"+architecture)
	files := []string{filepath.Join(dir, "specs"), filepath.Join(dir, "ginkgo"), filepath.Join(dir, p.suite.Name+".test")}
	for i, args := range [][]string{{"build", jobPackage}, {"build", ginkgoCLI}, {"test", p.suite.Specs}} {
		from := []string{"-o", files[i], args[1]}
		if args[0] == "test" {
			from = append([]string{"-c"}, from...)
		}
		if err := p.compile(ctx, h, architecture, args[0], from...); err != nil {
			return "", fault.With(fmt.Errorf("compile what runs in the cluster: %w", err), "mend the specs, then mage build")
		}
	}
	return p.o.Registry.PushPrograms(ctx, "hybrid-specs-"+p.suite.Name, architecture, files...)
}

// jobFiles are what the pods are given: which specs to run, where, and as whom.
func (p *Pipeline) jobFiles(shards []*Pipeline) (map[string][]byte, error) {
	kubeconfig, err := inPod(p.cluster.Kubeconfig)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{jobKubeconfig: kubeconfig}
	for i, q := range shards {
		focus, err := q.focus()
		if err != nil {
			return nil, err
		}
		args := q.ginkgo(processes(q.o.Procs, q.suite.ExtraProcs, cmp.Or(q.processors, jobProcessors)))
		args[0] = "/" + args[0]
		args = slices.Concat(args, focus, []string{"/" + p.suite.Name + ".test"})
		env := *q.env
		env.Kubeconfig, env.Artifacts = deploy.JobFolder+"/"+jobKubeconfig, "/tmp"
		text, err := env.text()
		if err != nil {
			return nil, err
		}
		index := strconv.Itoa(i)
		files[delivery.ArgsFile(index)] = []byte(strings.Join(args, "\n") + "\n")
		files[delivery.EnvironmentFile(index)] = text
	}
	return files, nil
}

// inPod is a kubeconfig for pods of its cluster, with the same account.
func inPod(kubeconfig string) ([]byte, error) {
	file, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the run's kubeconfig: %w", err)
	}
	for _, user := range file.AuthInfos {
		if user.Exec != nil || user.AuthProvider != nil {
			return nil, fault.With(errors.New("the account gets its credentials from a program, which pods do not have"),
				"a kubeconfig with a token, as docs/how-to/existing-cluster.md makes one")
		}
		for name, data := range map[string]*[]byte{user.ClientCertificate: &user.ClientCertificateData, user.ClientKey: &user.ClientKeyData} {
			if name == "" {
				continue
			}
			if *data, err = os.ReadFile(name); err != nil {
				return nil, fmt.Errorf("read the account's certificate: %w", err)
			}
		}
		user.ClientCertificate, user.ClientKey = "", ""
		if user.TokenFile != "" {
			token, err := os.ReadFile(user.TokenFile)
			if err != nil {
				return nil, fmt.Errorf("read the account's token: %w", err)
			}
			user.Token, user.TokenFile = strings.TrimSpace(string(token)), ""
		}
	}
	for _, c := range file.Clusters {
		c.Server, c.CertificateAuthority, c.CertificateAuthorityData = inPodServer, inPodCA, nil
		c.TLSServerName, c.ProxyURL, c.InsecureSkipTLSVerify = "", "", false
	}
	return clientcmd.Write(*file)
}
