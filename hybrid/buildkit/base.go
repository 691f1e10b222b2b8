package buildkit

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
)

// ownBases are the build arguments that name images which no registry has, sorted, each
// once.
func ownBases(o engine.BuildOptions) []string {
	var refs []string
	for _, value := range o.Args {
		if image.IsOurs(value) && !slices.Contains(refs, value) {
			refs = append(refs, value)
		}
	}
	slices.Sort(refs)
	return refs
}

// export writes an image of the engine to a folder in OCI's layout, from which BuildKit
// takes the layers that it lacks, and returns the digest of its manifest, which is the same
// each time.
func (b *Builder) export(ctx context.Context, log io.Writer, ref, folder string) (string, error) {
	if log == nil {
		log = io.Discard
	}
	archive, err := os.Create(folder + ".tar")
	if err != nil {
		return "", err
	}
	if err := errors.Join(load.Save(ctx, b.engine, []string{ref}, archive, log), archive.Close()); err != nil {
		return "", err
	}
	img, err := tarball.ImageFromPath(archive.Name(), nil)
	if err != nil {
		return "", err
	}
	to, err := layout.Write(folder, empty.Index)
	if err != nil {
		return "", err
	}
	if err := to.AppendImage(img); err != nil {
		return "", err
	}
	digest, err := img.Digest()
	return digest.String(), err
}
