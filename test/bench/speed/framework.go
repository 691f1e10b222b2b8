package speed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/klient/decoder"
	"sigs.k8s.io/e2e-framework/klient/k8s/resources"
	"sigs.k8s.io/e2e-framework/klient/wait"
	"sigs.k8s.io/e2e-framework/klient/wait/conditions"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"
	"sigs.k8s.io/e2e-framework/support"
	"sigs.k8s.io/e2e-framework/support/kind"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
)

// The framework gives kind no kubeconfig, and kind would write into the user's. What a
// killed `kind load` leaves goes away with the folder.
const kindScript = `#!/bin/sh
here=$(dirname "$0")
export KUBECONFIG="$here/kubeconfig" TMPDIR="$here" KIND_EXPERIMENTAL_PROVIDER=docker
exec "$here/program" "$@"
`

// framework is a peer that uses sigs.k8s.io/e2e-framework as the examples of that do.
type framework struct {
	*peer
	// name is that of the cluster.
	name string
	// dir is a folder of this run, kind the program in it that the framework calls.
	dir, kind string
}

// framework builds the kind that the product requires, for the framework to call. What
// is returned is to be closed.
func (p *peer) framework(ctx context.Context) (*framework, error) {
	program := filepath.Join(p.state, "kind")
	if _, err := (command.Exec{}).Run(ctx, command.Command{
		Args: []string{"go", "build", "-o", program, "sigs.k8s.io/kind"}, Dir: p.root, Log: p.log,
	}); err != nil {
		return nil, fmt.Errorf("build kind: %w", err)
	}
	return p.frameworkWith(program)
}

// frameworkWith lets the framework call program as its kind.
func (p *peer) frameworkWith(program string) (*framework, error) {
	// The framework's commands are strings, so no path in them can have a space, which
	// that of the repository may.
	dir, err := os.MkdirTemp("", "hybrid-bench-")
	if err != nil {
		return nil, err
	}
	f := &framework{peer: p, name: p.clusterName(p.side), dir: dir, kind: filepath.Join(dir, "kind")}
	if err := errors.Join(os.Symlink(program, filepath.Join(dir, "program")), os.WriteFile(f.kind, []byte(kindScript), 0o700)); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *framework) close() error { return os.RemoveAll(f.dir) } //nolint:gosec // It is what frameworkWith has made.

// envFuncs builds one image after the other, and leaves the rest to the framework.
func (f *framework) envFuncs(ctx context.Context, log io.Writer) (Parts, error) {
	epoch, err := f.next()
	if err != nil {
		return nil, err
	}
	// The framework would use what a killed run left for its new cluster.
	if err := f.destroy(ctx); err != nil {
		return nil, err
	}
	l := startLaps()
	if err := f.buildAll(ctx, log, epoch); err != nil {
		return nil, err
	}
	l.lap(partBuild)
	mappings, urls, err := f.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	err = f.withCluster(ctx, log, mappings, func(ctx context.Context, cfg *envconf.Config) error {
		l.lap(partCluster)
		for _, img := range f.suite.Images {
			if ctx, err = envfuncs.LoadDockerImageToCluster(f.name, f.tag(img.Name))(ctx, cfg); err != nil {
				return err
			}
		}
		l.lap(partLoad)
		if err := f.deploy(ctx, cfg); err != nil {
			return err
		}
		if err := answered(ctx, urls...); err != nil {
			return err
		}
		l.lap(partDeploy)
		return nil
	})
	return l.parts, err
}

// withCluster makes a cluster, hands it to use, and deletes it.
func (f *framework) withCluster(ctx context.Context, log io.Writer, mappings []v1alpha4.PortMapping,
	use func(context.Context, *envconf.Config) error,
) (err error) {
	text, err := yaml.Marshal(f.plainConfig(mappings))
	if err != nil {
		return err
	}
	config := filepath.Join(f.dir, "cluster.yaml")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.destroy(ctx)) }()
	_, _ = fmt.Fprintf(log, "creating %s\n", f.name)
	cfg := envconf.New()
	ctx, err = f.create(ctx, cfg, config)
	if err != nil {
		return err
	}
	return use(ctx, cfg)
}

// create makes the cluster. The framework's wait for the control plane knows no
// contexts: when ctx ends first, the caller deletes the cluster under it.
func (f *framework) create(ctx context.Context, cfg *envconf.Config, config string) (context.Context, error) {
	made, failed := make(chan context.Context, 1), make(chan error, 1)
	go func() {
		withCluster, err := envfuncs.CreateClusterWithConfig(kind.NewProvider(), f.name, config, kind.WithPath(f.kind))(ctx, cfg)
		if err != nil {
			failed <- err
			return
		}
		made <- withCluster
	}()
	select {
	case withCluster := <-made:
		return withCluster, nil
	case err := <-failed:
		return ctx, err
	case <-ctx.Done():
		return ctx, context.Cause(ctx)
	}
}

// destroy deletes the cluster, also one that was not made to its end, or none.
func (f *framework) destroy(ctx context.Context) error {
	// A provider of its own, for the one that makes the cluster may still be at work.
	provider := kind.NewCluster(f.name).WithPath(f.kind)
	ctx = context.WithValue(context.WithoutCancel(ctx), support.ClusterNameContextKey(f.name), provider)
	_, err := envfuncs.DestroyCluster(f.name)(ctx, envconf.New())
	files, globErr := filepath.Glob(filepath.Join(os.TempDir(), "kind-cluster-"+f.name+"-kubecfg*"))
	errs := []error{err, globErr}
	for _, file := range files {
		errs = append(errs, os.Remove(file))
	}
	return errors.Join(errs...)
}

// deploy applies everything, and waits for each workload before the next.
func (f *framework) deploy(ctx context.Context, cfg *envconf.Config) error {
	client, err := cfg.NewClient()
	if err != nil {
		return err
	}
	r := client.Resources()
	for _, folder := range f.suite.Setup {
		if err := f.apply(ctx, r, folder); err != nil {
			return err
		}
	}
	for _, s := range f.suite.Secrets {
		if err := r.Create(ctx, secret(s, f.suite.Namespace)); err != nil {
			return fmt.Errorf("create secret %s: %w", s.Name, err)
		}
	}
	for _, w := range f.suite.Workloads {
		if err := f.apply(ctx, r, w.Manifests); err != nil {
			return err
		}
		if err := wait.For(conditions.New(r).DeploymentAvailable(w.Name, f.suite.Namespace),
			wait.WithTimeout(rolloutTimeout), wait.WithContext(ctx)); err != nil {
			return fmt.Errorf("wait for %s: %w", w.Name, err)
		}
	}
	return nil
}

// apply creates the objects in the manifests of a folder.
func (f *framework) apply(ctx context.Context, r *resources.Resources, folder string) error {
	text, err := f.manifests(folder)
	if err != nil {
		return err
	}
	if err := decoder.DecodeEach(ctx, strings.NewReader(text), decoder.CreateHandler(r)); err != nil {
		return fmt.Errorf("apply %s: %w", folder, err)
	}
	return nil
}

// secret is what kubectl.prepare makes.
func secret(s hybrid.Secret, namespace string) *corev1.Secret {
	data := map[string]string{}
	maps.Copy(data, s.Fixed)
	for _, key := range s.Random {
		data[key] = secretValue
	}
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: s.Name, Namespace: namespace}, StringData: data}
}
