package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// namespace is where the kubelet's images live in containerd.
const namespace = "k8s.io"

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
}

// send checks the policy, finds out which node lacks what and streams it.
func (l *loader) send(ctx context.Context, h *task.Handle) error {
	images, err := l.Engine.Inspect(ctx, l.Refs...)
	if err != nil {
		return err
	}
	l.images = images
	if err := l.policy(); err != nil {
		return err
	}
	missing, nodes, err := l.missing(ctx)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		h.Cached("%d images on %d nodes", len(l.Refs), len(l.Nodes))
		return nil
	}
	sent, err := l.stream(ctx, h, missing, nodes)
	if err != nil {
		return err
	}
	h.Detail("%d of %d images, %d nodes, %d MB", len(missing), len(l.Refs), len(nodes), sent/1e6)
	return nil
}

// policy refuses images that are absent or whose security updates are too old.
func (l *loader) policy() error {
	var errs []error
	for _, ref := range l.Refs {
		img, ok := l.images[ref]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: the engine does not hold it", ref))
			continue
		}
		if err := image.CheckLabel(img.Config.Labels[image.EpochLabel], l.Now); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", ref, err))
		}
	}
	return fault.With(errors.Join(errs...), "mage build")
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

// holds maps each wanted reference that a node has to the digest of its
// configuration, which is the engine's image id.
func (l *loader) holds(ctx context.Context, node string) (map[string]string, error) {
	held := map[string]string{}
	out, err := l.Engine.Run(ctx, nil, "exec", node, "ctr", "--namespace", namespace, "images", "ls", "-q")
	if err != nil {
		return nil, fmt.Errorf("list the images of node %s: %w", node, err)
	}
	present := lines(out)
	for _, ref := range l.Refs {
		if !slices.Contains(present, ref) {
			continue
		}
		out, err := l.Engine.Run(ctx, nil, "exec", node, "crictl", "inspecti", ref)
		if err != nil {
			return nil, fmt.Errorf("inspect %s on node %s: %w", ref, node, err)
		}
		var answer struct{ Status struct{ ID string } }
		if err := json.Unmarshal(out, &answer); err != nil {
			return nil, fmt.Errorf("inspect %s on node %s: %w", ref, node, err)
		}
		held[ref] = answer.Status.ID
	}
	return held, nil
}

// stream saves the images once and feeds every node at the same time; it
// returns the number of bytes written by the engine.
func (l *loader) stream(ctx context.Context, log io.Writer, refs, nodes []string) (int64, error) {
	g, gctx := errgroup.WithContext(ctx)
	writers := make([]io.Writer, len(nodes))
	pipes := make([]*io.PipeWriter, len(nodes))
	for i, node := range nodes {
		r, w := io.Pipe()
		writers[i], pipes[i] = w, w
		g.Go(func() error {
			c := l.Engine.Command(log, "exec", "--interactive", node, "ctr", "--namespace", namespace,
				"images", "import", "--all-platforms", "--digests", "--snapshotter", "overlayfs", "-")
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
	counter := &countingWriter{w: io.MultiWriter(writers...)}
	g.Go(func() error {
		args := []string{"save"}
		if l.Engine.Kind == engine.Podman {
			args = append(args, "--multi-image-archive")
		}
		c := l.Engine.Command(log, append(args, refs...)...)
		c.Stdout = counter
		_, err := l.Engine.Runner.Run(gctx, c)
		for _, p := range pipes {
			p.CloseWithError(err)
		}
		if err != nil {
			return fmt.Errorf("save images: %w", err)
		}
		return nil
	})
	err := g.Wait()
	return counter.n, err
}

// verify has every node show that it holds each reference with the digest that
// the engine has.
func (l *loader) verify(ctx context.Context, h *task.Handle) error {
	missing, nodes, err := l.missing(ctx)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fault.With(fmt.Errorf("after loading, nodes %v still lack %v", nodes, missing), "mage down load")
	}
	h.Detail("%d digests on %d nodes", len(l.Refs), len(l.Nodes))
	return nil
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
