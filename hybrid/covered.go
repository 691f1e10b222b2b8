package hybrid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/deploy"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// startFile holds the start of the instrumented services that run on a kept cluster
// and have seen no spec yet. It is absent while they may have.
const startFile = "unused-start"

func (p *Pipeline) rawCoverage() string { return filepath.Join(p.state, "coverdata") }

// sources are the services that deliver coverage data: none in plain mode. Each start
// of a build of one has a folder of its own.
func (p *Pipeline) sources(start string) []coverage.Source {
	if p.o.Plain {
		return nil
	}
	refs := image.Refs(p.plans)
	var sources []coverage.Source
	for _, name := range p.suite.covered() {
		_, tag, _ := strings.Cut(refs[image.Registry+"/"+name], ":")
		sources = append(sources, coverage.Source{Service: name, Start: tag + "." + start})
	}
	return sources
}

// takeStart decides which start of the instrumented services this run measures: the
// one that waits for it on a kept cluster, else its own.
func (p *Pipeline) takeStart() error {
	p.start = p.run
	if p.o.Plain || !p.cluster.Reused {
		return p.useStart()
	}
	text, err := os.ReadFile(filepath.Join(p.state, startFile))
	if err == nil {
		p.start = strings.TrimSpace(string(text))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read which services wait for this run: %w", err)
	}
	return nil
}

// useStart says that the services do not wait for a run any more: what they count
// from now on belongs to this one.
func (p *Pipeline) useStart() error {
	if err := os.Remove(filepath.Join(p.state, startFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("note that the services are used: %w", err)
	}
	return nil
}

// newDeployer brings manifests into the cluster, with instrumented services that
// deliver to the folders of start.
func (p *Pipeline) newDeployer(start string) (*deploy.Deployer, error) {
	instrumented := map[string]string{}
	for _, s := range p.sources(start) {
		instrumented[image.Registry+"/"+s.Service] = s.Folder()
	}
	images := image.Refs(p.plans)
	for name, ref := range images {
		images[name] = cmp.Or(p.pinned[ref], ref)
	}
	return deploy.New(deploy.Options{
		Config: p.cluster.REST, Root: p.o.Root, Namespace: p.suite.Namespace, Kubeconfig: p.cluster.Kubeconfig,
		Images: images, Coverage: instrumented, Isolation: p.isolation, Courier: p.courier,
	})
}

// restart brings the services that were stopped for their data up again, so that the
// next run on the kept cluster finds them ready.
func (p *Pipeline) restart(ctx context.Context, h *task.Handle) error {
	next := p.run + "-next"
	if err := coverage.Prepare(p.rawCoverage(), p.sources(next)); err != nil {
		return err
	}
	d, err := p.newDeployer(next)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, w := range p.suite.Workloads {
		g.Go(func() error { return d.Workload(gctx, h, w.Manifests) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	h.Detail("ready for the next run")
	return os.WriteFile(filepath.Join(p.state, startFile), []byte(next+"\n"), 0o600)
}
