package registry

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
)

// Pull brings refs from the registry, which has them, into the engine: layers that several
// share come once. Every manifest, configuration and layer is held against its digest while
// it comes, and the engine against what came. It returns the bytes that came.
func (r Registry) Pull(ctx context.Context, e *engine.Engine, log io.Writer, refs ...string) (int64, error) {
	images := map[name.Reference]v1.Image{}
	ids := map[string]string{}
	for _, ref := range refs {
		at, err := r.at(ref)
		if err != nil {
			return 0, err
		}
		tag, err := name.NewTag(ref)
		if err != nil {
			return 0, err
		}
		img, err := remote.Image(at, r.options(ctx)...)
		if err != nil {
			return 0, fmt.Errorf("pull %s: %w", at, err)
		}
		id, err := img.ConfigName()
		if err != nil {
			return 0, fmt.Errorf("pull %s: %w", at, err)
		}
		images[tag], ids[ref] = img, id.String()
	}
	came, err := send(ctx, e, log, images)
	if err != nil {
		return came, fmt.Errorf("pull from %s: %w", r, err)
	}
	held, err := e.Inspect(ctx, refs...)
	if err != nil {
		return came, err
	}
	for _, ref := range refs {
		if held[ref].ID != ids[ref] {
			return came, fmt.Errorf("pull from %s: the engine has %s as %q, not %s", r, ref, held[ref].ID, ids[ref])
		}
	}
	return came, nil
}

// send streams the images into the engine.
func send(ctx context.Context, e *engine.Engine, log io.Writer, images map[name.Reference]v1.Image) (int64, error) {
	read, write := io.Pipe()
	counted := &load.Counter{W: write}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := tarball.MultiRefWrite(images, counted)
		write.CloseWithError(err)
		return err
	})
	g.Go(func() error {
		c := e.Command(log, "load")
		c.Stdin = read
		_, err := e.Runner.Run(gctx, c)
		// Whoever still writes must not wait for a reader that is gone.
		_ = read.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		return err
	})
	err := g.Wait()
	return counted.N, err
}
