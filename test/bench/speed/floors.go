package speed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// The parts that have a floor.
const (
	partLine   = "build, a line of the Gateway changed"
	partServer = "cluster, API ready"
	partBytes  = "load, both services changed"
)

// nearFloor is the smallest part of a phase that its floor may be: 1 / 1.2.
const nearFloor = 0.83

// serverTimeout bounds the start and the end of the API server that has no cluster.
const serverTimeout = time.Minute

// Floors compares phases with what none can go below: the Go compiler alone, etcd and the
// API server alone, and the engine's save and the node's import of nothing but the bytes
// that are missing. A phase is to take no more than a fifth longer.
func Floors(ctx context.Context) error {
	return run(ctx, "floors", func(ctx context.Context, s *stage) (err error) {
		checkout, remove, err := s.checkout(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, remove()) }()
		f := &floors{peer: s.peer("floors", checkout, scenarioChange)}
		if f.assets, _, err = offline.ControlPlane(ctx, offline.Options{Root: s.root, Engine: s.engine, Runner: command.Exec{}}); err != nil {
			return fmt.Errorf("find an API server: %w", err)
		}
		defer func() { err = errors.Join(err, f.forget(ctx), f.forgetBytes(ctx)) }()
		if err := f.prepare(ctx); err != nil {
			return err
		}
		c, err := Compare(ctx, "floors", s.rounds, s.out, s.log, Side{Name: "floor", Run: f.floor}, Side{Name: "phase", Run: f.phases})
		if err != nil {
			return err
		}
		return c.finish(s.dir, []Row{{Part: partLine, Ratio: nearFloor}, {Part: partServer, Ratio: nearFloor}, {Part: partBytes, Ratio: nearFloor}}, s.out)
	})
}

// floors is a peer that does the least.
type floors struct {
	*peer
	// assets is the folder with etcd and kube-apiserver.
	assets string
	// changed are services that no node has, bytes images of nothing but their programs.
	changed, bytes []string
}

// prepare builds what both sides load, and runs both builds once without measuring.
func (f *floors) prepare(ctx context.Context) error {
	epoch, err := f.next()
	if err != nil {
		return err
	}
	f.suite.Images = slices.DeleteFunc(f.suite.Images, func(img hybrid.Image) bool { return !slices.Contains(services(), img.Name) })
	file := filepath.Join(f.state, "bytes.Dockerfile")
	for _, img := range f.suite.Images {
		if err := f.build(ctx, f.log, img, epoch); err != nil {
			return err
		}
		program := "/usr/local/bin/" + img.Name
		text := fmt.Sprintf("FROM %s AS whole\nFROM scratch\nCOPY --from=whole %s %[2]s\n", f.tag(img.Name), program)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
		only := f.tag(img.Name) + "-bytes"
		if err := f.engine.Build(ctx, engine.BuildOptions{Dockerfile: file, Context: f.state, Tag: only, Log: f.log}); err != nil {
			return fmt.Errorf("make an image of %s alone: %w", program, err)
		}
		f.changed, f.bytes = append(f.changed, f.tag(img.Name)), append(f.bytes, only)
	}
	if err := f.compile(ctx, f.log); err != nil {
		return err
	}
	return f.ours().buildOnce(ctx, f.log)
}

// ours is the pipeline with all of its images.
func (f *floors) ours() *peer { return f.peer.peer("ours", f.checkout, scenarioChange) }

func (f *floors) floor(ctx context.Context, log io.Writer) (Parts, error) {
	parts := Parts{}
	if _, err := f.next(); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		part string
		run  func(context.Context, io.Writer) error
	}{{partLine, f.compile}, {partServer, f.server}} {
		began := time.Now()
		if err := step.run(ctx, log); err != nil {
			return nil, err
		}
		parts[step.part] = time.Since(began).Seconds()
	}
	err := f.withOurs(ctx, log, f.preloaded, 0, func(ctx context.Context, c *cluster.Cluster, _ Parts) error {
		nodes, err := c.Nodes(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		err = f.loadArchive(ctx, log, nodes[0], f.bytes...)
		parts[partBytes] = time.Since(began).Seconds()
		return err
	})
	return parts, err
}

// compile is `go build` as the Gateway's Dockerfile has it, with a cache of its own.
func (f *floors) compile(ctx context.Context, log io.Writer) error {
	_, err := (command.Exec{}).Run(ctx, command.Command{
		Args: []string{
			"go", "build", "-trimpath", "-gcflags=all=-dwarf=false", "-ldflags=-s -w", "-o", filepath.Join(f.state, "gateway"), "./cmd/gateway",
		},
		Dir: f.checkout, Env: []string{"CGO_ENABLED=0", "GOGC=400", "GOCACHE=" + filepath.Join(f.state, "go-build")}, Log: log,
	})
	if err != nil {
		return fmt.Errorf("compile the Gateway: %w", err)
	}
	return nil
}

// server starts etcd and the API server without a cluster, and ends them when it answers.
// Their end takes some hundredths of a second.
func (f *floors) server(context.Context, io.Writer) error {
	existing := false // Whatever the environment says: never somebody's cluster.
	environment := &envtest.Environment{
		BinaryAssetsDirectory: f.assets, UseExistingCluster: &existing, ControlPlaneStartTimeout: serverTimeout, ControlPlaneStopTimeout: serverTimeout,
	}
	_, err := environment.Start()
	if err := errors.Join(err, environment.Stop()); err != nil {
		return fmt.Errorf("start an API server: %w", err)
	}
	return nil
}

func (f *floors) phases(ctx context.Context, log io.Writer) (Parts, error) {
	parts := Parts{}
	began := time.Now()
	if err := f.ours().buildOnce(ctx, log); err != nil {
		return nil, err
	}
	parts[partLine] = time.Since(began).Seconds()
	err := f.withOurs(ctx, log, f.preloaded, 0, func(ctx context.Context, c *cluster.Cluster, took Parts) error {
		parts[partServer] = took[partAPI]
		nodes, err := c.Nodes(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		err = task.Group{Phase: "load", LogDir: f.dir}.Run(ctx, load.Tasks(load.Options{Engine: f.engine, Nodes: nodes, Refs: f.changed, Now: f.started})...)
		parts[partBytes] = time.Since(began).Seconds()
		return err
	})
	return parts, err
}

// forgetBytes removes the images of programs alone.
func (f *floors) forgetBytes(ctx context.Context) error {
	if len(f.bytes) == 0 {
		return nil
	}
	_, err := f.engine.Run(context.WithoutCancel(ctx), f.log, append([]string{"image", "rm", "--no-prune"}, f.bytes...)...)
	return err
}
