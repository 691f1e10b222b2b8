package registry

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sync/errgroup"
)

// nobody is the user of an image that holds programs alone.
const nobody = "65532:65532"

// Pinned gives the references with digests by which nodes pull refs, which the registry
// has: nobody can put another image in their place.
func (r Registry) Pinned(ctx context.Context, refs ...string) (map[string]string, error) {
	pinned := make([]string, len(refs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, ref := range refs {
		g.Go(func() error {
			at, err := r.at(ref)
			if err != nil {
				return err
			}
			head, err := remote.Head(at, r.options(gctx)...)
			if err != nil {
				return fmt.Errorf("find the digest of %s: %w", at, err)
			}
			pinned[i] = at.Context().Digest(head.Digest.String()).Name()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := make(map[string]string, len(refs))
	for i, ref := range refs {
		all[ref] = pinned[i]
	}
	return all, nil
}

// PushIndex sends the index of an OCI layout, with what the registry lacks of its images, and
// gives the reference by which it is pulled: ref is the engine's for this machine's platform,
// and what is for several has the same key.
func (r Registry) PushIndex(ctx context.Context, ref, dir string) (string, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return "", fmt.Errorf("read the index: %w", err)
	}
	at, err := r.at(ref + "-index")
	if err != nil {
		return "", err
	}
	if err := remote.WriteIndex(at, index, r.options(ctx)...); err != nil {
		return "", fmt.Errorf("push %s: %w", at, err)
	}
	return at.Name(), nil
}

// PushPrograms makes an image of nothing but programs that need no other files, for Linux on
// the architecture, and gives the reference with the digest by which nodes pull it. Each
// program is in the root folder; the first one is started. What the registry has already is
// not sent.
func (r Registry) PushPrograms(ctx context.Context, image, architecture string, files ...string) (string, error) {
	img, err := imageOf(architecture, files)
	if err != nil {
		return "", fmt.Errorf("make the image %s: %w", image, err)
	}
	digest, err := img.Digest()
	if err != nil {
		return "", err
	}
	repository, err := name.NewRepository(r.prefix + "/" + image)
	if err != nil {
		return "", err
	}
	at := repository.Digest(digest.String())
	_, err = remote.Head(at, r.options(ctx)...)
	if refused, ok := errors.AsType[*transport.Error](err); ok && refused.StatusCode == http.StatusNotFound {
		err = remote.Write(at, img, r.options(ctx)...)
	}
	if err != nil {
		return "", fmt.Errorf("push %s: %w", at, err)
	}
	return at.Name(), nil
}

// imageOf has a layer for each file, so that one that has not changed is not sent again.
func imageOf(architecture string, files []string) (v1.Image, error) {
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: architecture, Config: v1.Config{Entrypoint: []string{"/" + filepath.Base(files[0])}, User: nobody},
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		layer, err := layerOf(file)
		if err == nil {
			img, err = mutate.AppendLayers(img, layer)
		}
		if err != nil {
			return nil, err
		}
	}
	return img, nil
}

func layerOf(file string) (v1.Layer, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err = w.WriteHeader(&tar.Header{Name: filepath.Base(file), Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = w.Write(content)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}
