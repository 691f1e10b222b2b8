package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// namespace is where the kubelet's images live in containerd.
const namespace = "k8s.io"

// snapshotter is the one that Kind's nodes use.
const snapshotter = "overlayfs"

// How long nodes may take to know what they were given, and how often they are asked.
const (
	settleTimeout = 5 * time.Second
	settleEvery   = 100 * time.Millisecond
)

// Options say what goes where.
type Options struct {
	Engine *engine.Engine
	// Nodes are the names of the node containers.
	Nodes []string
	// Refs are the full references to load.
	Refs []string
	// Held is what all nodes are known to hold, as new nodes do of their image: by
	// reference, the digest of the configuration. What is not in it is sent without asking
	// first; with nil, or when it has everything, every node is asked.
	Held map[string]string
	// Now is the time of the run, against which the age of the images' last
	// security update is judged.
	Now time.Time
}

// Tasks gives the two tasks of the phase: load.images sends what the nodes lack,
// load.verify has every node prove what it holds.
func Tasks(o Options) []task.Task {
	l := &loader{Options: o}
	return []task.Task{
		{Name: "load.images", Run: l.send},
		{Name: "load.verify", Needs: []string{"load.images"}, Run: l.verify},
	}
}

type loader struct {
	Options
	images map[string]engine.Image
	// held is what the nodes told last, in their order: by reference, the digest of the
	// configuration.
	held []map[string]string
	// sent says that a node lacked something.
	sent bool
}

// send checks the policy, finds out which node lacks what and streams it.
func (l *loader) send(ctx context.Context, h *task.Handle) error {
	images, err := Policy(ctx, l.Engine, l.Now, l.Refs...)
	if err != nil {
		return err
	}
	l.images, l.held = images, make([]map[string]string, len(l.Nodes))
	for n := range l.Nodes {
		l.held[n] = l.Held
	}
	missing, nodes := l.missing()
	if l.Held == nil || len(missing) == 0 {
		if err := l.askAll(ctx); err != nil {
			return err
		}
		missing, nodes = l.missing()
	}
	if len(missing) == 0 {
		h.Cached("%d images on %d nodes", len(l.Refs), len(l.Nodes))
		return nil
	}
	l.sent = true
	sent, left, err := l.stream(ctx, h, missing, nodes)
	if err != nil {
		return err
	}
	h.Detail("%d of %d images, %d nodes, %d MB, %d MB were there", len(missing), len(l.Refs), len(nodes), sent/1e6, left/1e6)
	return nil
}

// known maps the paths of the layers of refs that every one of the nodes has unpacked
// to their digests.
func (l *loader) known(ctx context.Context, refs []string, nodes []int) (map[string]digest.Digest, error) {
	have := make([]map[digest.Digest]bool, len(nodes))
	g, gctx := errgroup.WithContext(ctx)
	for i, n := range nodes {
		g.Go(func() error {
			node := l.Nodes[n]
			list, err := l.Engine.Run(gctx, nil, "exec", node, "/bin/sh", "-c", unpacked)
			if err != nil {
				return fmt.Errorf("list the snapshots of node %s: %w", node, err)
			}
			have[i] = committed(list)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := map[string]digest.Digest{}
	for _, ref := range refs {
		known, err := paths(l.images[ref], func(chain digest.Digest) bool {
			return !slices.ContainsFunc(have, func(h map[digest.Digest]bool) bool { return !h[chain] })
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ref, err)
		}
		maps.Copy(all, known)
	}
	return all, nil
}

// Policy refuses images that the engine does not hold, or whose security updates are too
// old at the given time: whoever brings images into a cluster asks it first.
func Policy(ctx context.Context, e *engine.Engine, now time.Time, refs ...string) (map[string]engine.Image, error) {
	images, err := e.Inspect(ctx, refs...)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, ref := range refs {
		img, ok := images[ref]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: the engine does not hold it", ref))
			continue
		}
		if err := image.CheckLabel(img.Config.Labels[image.EpochLabel], now); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", ref, err))
		}
	}
	return images, fault.With(errors.Join(errs...), "mage build")
}

// missing lists the references that at least one node lacks, and the places of those
// nodes.
func (l *loader) missing() (refs []string, nodes []int) {
	for n := range l.Nodes {
		lacks := false
		for _, ref := range l.Refs {
			if l.held[n][ref] != l.images[ref].ID {
				lacks = true
				if !slices.Contains(refs, ref) {
					refs = append(refs, ref)
				}
			}
		}
		if lacks {
			nodes = append(nodes, n)
		}
	}
	sort.Strings(refs)
	return refs, nodes
}

// tell has a node list its images, however many there are. Nodes that still unpack the
// images that they start with are waited for by ask, and by unpacked, which lists what they
// have of layers. take unpacks an archive from standard input before it tells: one more call
// of the engine would take longer than the answer.
const (
	settled  = `if [ -e /kind/preloaded-files.tar ]; then systemctl start preloaded.service || exit; fi; `
	tell     = `crictl images --output json`
	ask      = settled + tell
	unpacked = settled + `ctr --namespace ` + namespace + ` snapshots --snapshotter ` + snapshotter + ` list`
	take     = `ctr --namespace ` + namespace + ` images import --local --all-platforms --snapshotter ` + snapshotter + ` - >&2 && ` + tell
)

// askAll asks every node for its images.
func (l *loader) askAll(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	for n, node := range l.Nodes {
		g.Go(func() error {
			out, err := l.Engine.Run(gctx, nil, "exec", node, "/bin/sh", "-c", ask)
			if err != nil {
				return fmt.Errorf("ask node %s for its images: %w", node, err)
			}
			return l.told(n, out)
		})
	}
	return g.Wait()
}

// told keeps what the node at place n answers.
func (l *loader) told(n int, out []byte) (err error) {
	if l.held[n], err = listed(out); err != nil {
		return fmt.Errorf("read what node %s tells about its images: %w", l.Nodes[n], err)
	}
	return nil
}

// stream saves the images once and feeds every node at the same time, without the
// layers that all of them have; it returns the bytes that each node got, and those of
// the layers left out.
func (l *loader) stream(ctx context.Context, log io.Writer, refs []string, nodes []int) (sent, left int64, err error) {
	sinks := make([]func(context.Context, io.Reader) error, len(nodes))
	for i, n := range nodes {
		sinks[i] = func(ctx context.Context, archive io.Reader) error { return l.feed(ctx, log, n, archive) }
	}
	known := func(ctx context.Context) (map[string]digest.Digest, error) { return l.known(ctx, refs, nodes) }
	return relay(ctx, l.Engine, refs, log, known, sinks...)
}

// feed has the node at place n import an archive, and tell what it holds then.
func (l *loader) feed(ctx context.Context, log io.Writer, n int, archive io.Reader) error {
	var out bytes.Buffer
	c := l.Engine.Command(log, "exec", "--interactive", l.Nodes[n], "/bin/sh", "-c", take)
	c.Stdin, c.Stdout = archive, &out
	if _, err := l.Engine.Runner.Run(ctx, c); err != nil {
		return fmt.Errorf("import on node %s: %w", l.Nodes[n], err)
	}
	return l.told(n, out.Bytes())
}

// Save writes the engine's archive of images to out.
func Save(ctx context.Context, e *engine.Engine, refs []string, out, log io.Writer) error {
	args := []string{"save"}
	if e.Kind == engine.Podman {
		args = append(args, "--multi-image-archive")
	}
	c := e.Command(log, append(args, refs...)...)
	c.Stdout = out
	if _, err := e.Runner.Run(ctx, c); err != nil {
		return fmt.Errorf("save images: %w", err)
	}
	return nil
}

// verify has every node show that it holds each reference with the digest that
// the engine has.
func (l *loader) verify(ctx context.Context, h *task.Handle) error {
	if !l.sent {
		h.Cached("%d digests on %d nodes", len(l.Refs), len(l.Nodes))
		return nil
	}
	if err := l.settle(ctx); err != nil {
		return err
	}
	if missing, nodes := l.missing(); len(missing) > 0 {
		var names []string
		for _, n := range nodes {
			names = append(names, l.Nodes[n])
		}
		return fault.With(fmt.Errorf("after loading, nodes %v still lack %v", names, missing), "mage down load")
	}
	h.Detail("%d digests on %d nodes", len(l.Refs), len(l.Nodes))
	return nil
}

// settle asks the nodes again until nothing is missing, or for good. What kubelet knows
// of images follows what was imported by an event of containerd, which takes a moment
// and can be watched by nobody.
func (l *loader) settle(ctx context.Context) error {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for late := time.After(settleTimeout); ; {
		if missing, _ := l.missing(); len(missing) == 0 {
			return nil
		}
		select {
		case <-late:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		if err := l.askAll(ctx); err != nil {
			return err
		}
	}
}
