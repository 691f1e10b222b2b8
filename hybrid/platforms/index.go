package platforms

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/load"
)

// Index writes the images of an engine, by their platform, as an OCI layout with one index
// into the folder dir, over one that is there, and proves it: Check. It gives the index's
// digest.
func Index(ctx context.Context, e *engine.Engine, dir string, refs map[string]string, log io.Writer) (string, error) {
	archive, err := os.CreateTemp("", "hybrid-index-*.tar")
	if err != nil {
		return "", err
	}
	defer os.Remove(archive.Name()) //nolint:errcheck // It is a temporary file.
	platforms := slices.Sorted(maps.Keys(refs))
	ordered := make([]string, len(platforms))
	for i, p := range platforms {
		ordered[i] = refs[p]
	}
	if err := errors.Join(load.Save(ctx, e, ordered, archive, log), archive.Close()); err != nil {
		return "", err
	}
	index := v1.ImageIndex(empty.Index)
	for _, p := range platforms {
		entry, err := entryOf(archive.Name(), p, refs[p])
		if err != nil {
			return "", fmt.Errorf("read %s: %w", refs[p], err)
		}
		index = mutate.AppendManifests(index, entry)
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if _, err := layout.Write(dir, index); err != nil {
		return "", fmt.Errorf("write the index: %w", err)
	}
	digest, err := index.Digest()
	if err != nil {
		return "", err
	}
	return digest.String(), Check(dir, platforms...)
}

// entryOf is an image of an archive as an index has it.
func entryOf(archive, platform, ref string) (mutate.IndexAddendum, error) {
	tag, err := name.NewTag(ref)
	if err != nil {
		return mutate.IndexAddendum{}, err
	}
	img, err := tarball.ImageFromPath(archive, &tag)
	if err != nil {
		return mutate.IndexAddendum{}, err
	}
	p, err := v1.ParsePlatform(platform)
	return mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}}, err
}

// Check proves an OCI layout with one index: it has the platforms, each once and no other;
// every blob has its digest; the configuration of each image and the program that it starts
// are of its platform.
func Check(dir string, platforms ...string) error {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return fmt.Errorf("read the index: %w", err)
	}
	if err := validate.Index(index); err != nil {
		return fmt.Errorf("check the index in %s: %w", dir, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	var found []string
	var errs []error
	for _, m := range manifest.Manifests {
		if m.Platform == nil {
			errs = append(errs, fmt.Errorf("image %s names no platform", m.Digest))
			continue
		}
		found = append(found, m.Platform.String())
		img, err := index.Image(m.Digest)
		if err == nil {
			err = checkImage(img, m.Platform.Architecture)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("image for %s: %w", m.Platform, err))
		}
	}
	slices.Sort(found)
	if wanted := slices.Sorted(slices.Values(platforms)); !slices.Equal(found, wanted) {
		errs = append(errs, fmt.Errorf("it has images for %v, wanted are %v", found, wanted))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("check the index in %s: %w", dir, err)
	}
	return nil
}

// checkImage looks at what the library does not: the program that an image starts.
func checkImage(img v1.Image, architecture string) error {
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	if len(config.Config.Entrypoint) == 0 {
		return errors.New("it starts no program")
	}
	return checkProgram(img, config.Config.Entrypoint[0], architecture)
}

// machines are the architectures as programs name them.
func machines() map[string]elf.Machine {
	return map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
}

// checkProgram looks at the program in the topmost layer that has it. One that is no ELF
// file, such as a script, is of every architecture.
func checkProgram(img v1.Image, program, architecture string) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, layer := range slices.Backward(layers) {
		content, ok, err := find(layer, clean(program))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if !bytes.HasPrefix(content, []byte(elf.ELFMAG)) {
			return nil
		}
		f, err := elf.NewFile(bytes.NewReader(content))
		if err != nil {
			return fmt.Errorf("read %s: %w", program, err)
		}
		if want := machines()[architecture]; f.Machine != want {
			return fmt.Errorf("%s is a program for %s, wanted is %s", program, f.Machine, want)
		}
		return nil
	}
	return fmt.Errorf("it lacks the program that it starts, %s", program)
}

// clean is a path as layers have it.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// find gives a file of a layer, and whether the layer has it.
func find(layer v1.Layer, file string) (content []byte, ok bool, err error) {
	files, err := layer.Uncompressed()
	if err != nil {
		return nil, false, err
	}
	defer files.Close()
	for r := tar.NewReader(files); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		if h.Typeflag == tar.TypeReg && clean(h.Name) == file {
			content, err := io.ReadAll(r)
			return content, true, err
		}
	}
}
