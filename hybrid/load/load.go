package load

import (
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
	// proven says that every node has shown already that it holds what is wanted.
	proven bool
}

// send checks the policy, finds out which node lacks what and streams it.
func (l *loader) send(ctx context.Context, h *task.Handle) error {
	images, err := Policy(ctx, l.Engine, l.Now, l.Refs...)
	if err != nil {
		return err
	}
	l.images = images
	missing, nodes, err := l.missing(ctx)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		l.proven = true
		h.Cached("%d images on %d nodes", len(l.Refs), len(l.Nodes))
		return nil
	}
	known, err := l.known(ctx, missing, nodes)
	if err != nil {
		return err
	}
	sent, left, err := l.stream(ctx, h, missing, nodes, known)
	if err != nil {
		return err
	}
	h.Detail("%d of %d images, %d nodes, %d MB, %d MB were there", len(missing), len(l.Refs), len(nodes), sent/1e6, left/1e6)
	return nil
}

// known maps the paths of the layers of refs that every one of the nodes has unpacked
// to their digests.
func (l *loader) known(ctx context.Context, refs, nodes []string) (map[string]digest.Digest, error) {
	have := make([]map[digest.Digest]bool, len(nodes))
	g, gctx := errgroup.WithContext(ctx)
	for i, node := range nodes {
		g.Go(func() error {
			list, err := l.Engine.Run(gctx, nil, "exec", node, "ctr", "--namespace", namespace, "snapshots", "--snapshotter", snapshotter, "list")
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

// missing lists the references that at least one node lacks, and those nodes.
func (l *loader) missing(ctx context.Context) (refs, nodes []string, err error) {
	held := make([]map[string]string, len(l.Nodes))
	g, gctx := errgroup.WithContext(ctx)
	for i, node := range l.Nodes {
		g.Go(func() (err error) {
			held[i], err = l.holds(gctx, node)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for i, node := range l.Nodes {
		lacks := false
		for _, ref := range l.Refs {
			if held[i][ref] != l.images[ref].ID {
				lacks = true
				if !slices.Contains(refs, ref) {
					refs = append(refs, ref)
				}
			}
		}
		if lacks {
			nodes = append(nodes, node)
		}
	}
	sort.Strings(refs)
	return refs, nodes, nil
}

// ask lists the images of a node with one call, however many there are. A node that
// still unpacks the images that it starts with is waited for. The crictl of the node
// image that is made locally knows one form only, which is not JSON.
const ask = `if [ -e /kind/preloaded-files.tar ]; then systemctl start preloaded.service || exit; fi
crictl images --output json 2>/dev/null || crictl images`

// holds maps the references that a node has to the digests of their configurations,
// which are the engine's image ids.
func (l *loader) holds(ctx context.Context, node string) (map[string]string, error) {
	out, err := l.Engine.Run(ctx, nil, "exec", node, "/bin/sh", "-c", ask)
	if err != nil {
		return nil, fmt.Errorf("ask node %s for its images: %w", node, err)
	}
	held, err := listed(out)
	if err != nil {
		return nil, fmt.Errorf("read what node %s tells about its images: %w", node, err)
	}
	return held, nil
}

// stream saves the images once and feeds every node at the same time, without the
// layers that are known; it returns the bytes that each node got, and those of the
// layers left out.
func (l *loader) stream(ctx context.Context, log io.Writer, refs, nodes []string, known map[string]digest.Digest) (sent, left int64, err error) {
	g, gctx := errgroup.WithContext(ctx)
	writers := make([]io.Writer, len(nodes))
	pipes := make([]*io.PipeWriter, len(nodes))
	for i, node := range nodes {
		r, w := io.Pipe()
		writers[i], pipes[i] = w, w
		g.Go(func() error {
			c := l.Engine.Command(log, "exec", "--interactive", node, "ctr", "--namespace", namespace,
				"images", "import", "--all-platforms", "--digests", "--snapshotter", snapshotter, "-")
			c.Stdin = r
			_, err := l.Engine.Runner.Run(gctx, c)
			if err != nil {
				err = fmt.Errorf("import on node %s: %w", node, err)
			}
			// Whoever still writes must not wait for a reader that is gone.
			_ = r.CloseWithError(errors.Join(err, io.ErrClosedPipe))
			return err
		})
	}
	saved, save := io.Pipe()
	counter := &countingWriter{w: io.MultiWriter(writers...)}
	g.Go(func() error {
		var err error
		left, err = convert(saved, counter, refs, known)
		_ = saved.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		for _, p := range pipes {
			p.CloseWithError(err)
		}
		return err
	})
	g.Go(func() error {
		err := Save(gctx, l.Engine, refs, save, log)
		save.CloseWithError(err)
		return err
	})
	err = g.Wait()
	return counter.n, left, err
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
	if l.proven {
		h.Cached("%d digests on %d nodes", len(l.Refs), len(l.Nodes))
		return nil
	}
	missing, nodes, err := l.settled(ctx)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fault.With(fmt.Errorf("after loading, nodes %v still lack %v", nodes, missing), "mage down load")
	}
	h.Detail("%d digests on %d nodes", len(l.Refs), len(l.Nodes))
	return nil
}

// settled is what is missing for good. What kubelet knows of images follows what was
// imported by an event of containerd, which takes a moment and can be watched by nobody.
func (l *loader) settled(ctx context.Context) (refs, nodes []string, err error) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for late := time.After(settleTimeout); ; {
		if refs, nodes, err = l.missing(ctx); err != nil || len(refs) == 0 {
			return refs, nodes, err
		}
		select {
		case <-late:
			return refs, nodes, nil
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
