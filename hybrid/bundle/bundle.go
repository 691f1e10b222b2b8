package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
)

// Save writes those of the images that the engine holds to file, layers that they share
// once, and returns their references, sorted. The file is replaced when all of it is
// written. Without any such image nothing is written.
func Save(ctx context.Context, e *engine.Engine, refs []string, file string) ([]string, error) {
	present, err := e.Inspect(ctx, refs...)
	if err != nil {
		return nil, fmt.Errorf("ask the engine which images exist: %w", err)
	}
	var held []string
	for _, ref := range refs {
		if _, ok := present[ref]; ok {
			held = append(held, ref)
		}
	}
	if len(held) == 0 {
		return nil, nil
	}
	slices.Sort(held)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	part, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(part.Name()) //nolint:errcheck // It is gone when all went well.
	err = errors.Join(load.Save(ctx, e, held, part, io.Discard), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return nil, err
	}
	return held, nil
}

// ErrNotWhole says that a file holds something else than it promises.
var ErrNotWhole = errors.New("the file with images is damaged")

// ErrForeign says that a file holds images that no run of the pipeline has built.
var ErrForeign = errors.New("the file holds foreign images")

// Restore brings the images of file into the engine, unless it holds all of refs already,
// and returns those of refs that it brought, sorted. No file is no error.
func Restore(ctx context.Context, e *engine.Engine, refs []string, file string) ([]string, error) {
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	tags, err := check(file)
	if err != nil {
		return nil, err
	}
	before, err := e.Inspect(ctx, refs...)
	if err != nil {
		return nil, fmt.Errorf("ask the engine which images exist: %w", err)
	}
	var wanted []string
	for _, ref := range refs {
		if _, held := before[ref]; !held && slices.Contains(tags, ref) {
			wanted = append(wanted, ref)
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	if _, err := e.Run(ctx, nil, "load", "--input", file); err != nil {
		return nil, fmt.Errorf("load the images of %s: %w", file, err)
	}
	after, err := e.Inspect(ctx, wanted...)
	if err != nil {
		return nil, fmt.Errorf("ask the engine which images exist: %w", err)
	}
	for _, ref := range wanted {
		if _, held := after[ref]; !held {
			return nil, fmt.Errorf("load the images of %s: the engine has no %s", file, ref)
		}
	}
	slices.Sort(wanted)
	return wanted, nil
}

// check reads all of a file and returns the references in it.
func check(file string) ([]string, error) {
	open := func() (io.ReadCloser, error) { return os.Open(file) }
	manifest, err := tarball.LoadManifest(open)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNotWhole, file, err)
	}
	var tags []string
	for _, described := range manifest {
		for _, ref := range described.RepoTags {
			if tag, err := parse(ref); err != nil || tag.RegistryStr() != image.Registry {
				return nil, fmt.Errorf("%w: %s has %s", ErrForeign, file, ref)
			}
			tags = append(tags, ref)
		}
		if len(described.RepoTags) == 0 {
			return nil, fmt.Errorf("%w: %s: an image has no name", ErrNotWhole, file)
		}
		tag, err := parse(described.RepoTags[0])
		if err != nil {
			return nil, err
		}
		img, err := tarball.Image(open, &tag)
		if err == nil {
			err = whole(img, described.Config)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %s: %w", ErrNotWhole, file, tag, err)
		}
	}
	return tags, nil
}

func parse(ref string) (name.Tag, error) { return name.NewTag(ref, name.WithDefaultRegistry("")) }

// whole holds the configuration against its name, and each layer against the digest in
// the configuration.
func whole(img v1.Image, path string) error {
	config, err := img.RawConfigFile()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(config)
	if got := hex.EncodeToString(sum[:]); !strings.Contains(path, got) {
		return fmt.Errorf("the configuration %s has digest %s", path, got)
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	parsed, err := img.ConfigFile()
	if err != nil {
		return err
	}
	if len(layers) != len(parsed.RootFS.DiffIDs) {
		return fmt.Errorf("it has %d layers, its configuration %d", len(layers), len(parsed.RootFS.DiffIDs))
	}
	for i, layer := range layers {
		content, err := layer.Uncompressed()
		if err != nil {
			return err
		}
		got, _, err := v1.SHA256(content)
		if err := errors.Join(err, content.Close()); err != nil {
			return err
		}
		if want := parsed.RootFS.DiffIDs[i]; got != want {
			return fmt.Errorf("layer %s has digest %s", want, got)
		}
	}
	return nil
}
