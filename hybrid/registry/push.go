package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
)

// Push sends those of refs that the registry lacks from the engine, of each the layers that
// are missing, and tells which it sent.
func (r Registry) Push(ctx context.Context, e *engine.Engine, log io.Writer, refs ...string) (sent []string, err error) {
	has, err := r.Has(ctx, refs...)
	if err != nil {
		return nil, err
	}
	missing := without(refs, has)
	if len(missing) == 0 {
		return nil, nil
	}
	archive, err := os.CreateTemp("", "hybrid-push-*.tar")
	if err != nil {
		return nil, err
	}
	defer os.Remove(archive.Name()) //nolint:errcheck // It is a temporary file.
	if err := errors.Join(load.Save(ctx, e, missing, archive, log), archive.Close()); err != nil {
		return nil, err
	}
	pusher, err := remote.NewPusher(r.options(ctx)...)
	if err != nil {
		return nil, err
	}
	// Where in the registry a layer is that was sent: it need not be sent again for
	// another image.
	places := map[v1.Hash]name.Reference{}
	for _, ref := range missing {
		fmt.Fprintf(log, "push %s\n", ref)
		if err := r.push(ctx, pusher, archive.Name(), ref, places); err != nil {
			return sent, fmt.Errorf("push %s to %s: %w", ref, r, err)
		}
		sent = append(sent, ref)
	}
	return sent, nil
}

func (r Registry) push(ctx context.Context, pusher *remote.Pusher, archive, ref string, places map[v1.Hash]name.Reference) error {
	to, err := r.at(ref)
	if err != nil {
		return err
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		return err
	}
	img, err := tarball.ImageFromPath(archive, &tag)
	if err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	mounted := sharing{img, layers}
	for i, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		if from, ok := places[digest]; ok {
			mounted.layers[i] = &remote.MountableLayer{Layer: layer, Reference: from}
		} else {
			places[digest] = to
		}
	}
	return pusher.Push(ctx, to, mounted)
}

// sharing is an image with layers that the registry may have in another repository.
type sharing struct {
	v1.Image
	layers []v1.Layer
}

// Layers gives those layers.
func (s sharing) Layers() ([]v1.Layer, error) { return s.layers, nil }

// without is all but some, each once.
func without(all, some []string) []string {
	var rest []string
	seen := map[string]bool{}
	for _, s := range some {
		seen[s] = true
	}
	for _, s := range all {
		if !seen[s] {
			seen[s] = true
			rest = append(rest, s)
		}
	}
	return rest
}
