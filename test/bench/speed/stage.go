package speed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// stage is where comparisons run: what both sides need, made before the first round.
type stage struct {
	rounds int
	// started is when the comparison began, against which the age of security updates is
	// judged: they are of that day, however long it takes.
	started time.Time
	// dir keeps the results and the log, state what a cluster of ours needs.
	dir, state string
	out, log   io.Writer
	engine     *engine.Engine
	leases     cluster.Leases
	// node is the node image without images of the suite, preloaded the one with
	// them; images are the references that the suite needs.
	node, preloaded string
	images          []string
	// buildArgs name the base images, and how modules are reached.
	buildArgs map[string]string
	// root is the repository, a checkout of which names the clusters.
	root         string
	failCgroupV1 bool
}

// run builds all images of the Gateway's suite as the product is built, and hands the
// stage to measure. Whatever goes wrong has been printed when it returns.
func run(ctx context.Context, name string, measure func(context.Context, *stage) error) error {
	n, err := Rounds(os.Getenv, DefaultRounds)
	if err != nil {
		return infrastructure.Tell(err)
	}
	return infrastructure.Built(ctx, "gateway", func(ctx context.Context, b hybrid.Built) (err error) {
		s := &stage{
			rounds: n, started: time.Now(), dir: filepath.Join(b.Artifacts, "bench"), state: filepath.Join(b.State, "bench-"+name), out: b.Out,
			engine: b.Engine, leases: b.Leases, node: b.Node, preloaded: b.Preloaded, images: b.Images, buildArgs: b.BuildArgs, root: b.Root,
		}
		_, absent := os.Stat("/sys/fs/cgroup/cgroup.controllers")
		s.failCgroupV1 = absent != nil
		for _, dir := range []string{s.dir, s.state} {
			if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // The folders are those of the run.
				return fmt.Errorf("create a folder of the comparison: %w", err)
			}
		}
		log, err := os.Create(filepath.Join(s.dir, name+".log")) //nolint:gosec // The same.
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, log.Close()) }()
		s.log = log
		return measure(ctx, s)
	})
}

// clusterName is that of a side's cluster in this checkout.
func (s *stage) clusterName(side string) string { return cluster.Name("bench-"+side, s.root) }

// marker passes on what the cluster phase tells, and remembers when Kubernetes had
// started: from then on its API is usable.
type marker struct {
	out io.Writer

	mu    sync.Mutex
	first time.Time
}

func (m *marker) Write(p []byte) (int, error) {
	m.mu.Lock()
	if m.first.IsZero() && bytes.Contains(p, []byte(cluster.Started)) {
		m.first = time.Now()
	}
	m.mu.Unlock()
	return m.out.Write(p)
}

// since is how many seconds after began the API was usable.
func (m *marker) since(began time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.first.Sub(began).Seconds()
}
