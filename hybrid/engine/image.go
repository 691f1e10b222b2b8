package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"
)

// BuildOptions says what one image build needs.
type BuildOptions struct {
	// Dockerfile and Context are paths; both are mandatory.
	Dockerfile, Context string
	// Tag is the full reference that the result gets; empty with Output.
	Tag string
	// Output, like type=local,dest=FOLDER, has the files of the last stage written there
	// instead of an image made.
	Output string
	// Args and Labels are passed sorted by name, so that equal options give
	// equal command lines.
	Args, Labels map[string]string
	// Network is the network of RUN instructions; empty is the engine's default.
	Network string
	// Platform is like linux/amd64; empty is the engine's own.
	Platform string
	// Target is the stage to build; empty is the last.
	Target string
	// CacheFrom are images of the engine that were built with CacheInto: steps that made
	// them are not done again. Podman looks at all images anyway.
	CacheFrom []string
	// CacheInto has the result tell by which steps it was made.
	CacheInto bool
	// Log receives the builder's output; nil discards it.
	Log io.Writer
}

// Build builds one image with BuildKit (docker) or buildah (podman).
func (e *Engine) Build(ctx context.Context, b BuildOptions) error {
	args := []string{"build", "--file", b.Dockerfile}
	option := func(flag, value string) {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	option("--tag", b.Tag)
	option("--output", b.Output)
	if e.Kind == Docker {
		args = append(args, "--progress", "plain")
		for _, ref := range b.CacheFrom {
			args = append(args, "--cache-from", ref)
		}
		if b.CacheInto {
			args = append(args, "--build-arg", "BUILDKIT_INLINE_CACHE=1")
		}
	}
	option("--network", b.Network)
	option("--platform", b.Platform)
	option("--target", b.Target)
	for _, k := range sortedKeys(b.Args) {
		args = append(args, "--build-arg", k+"="+b.Args[k])
	}
	for _, k := range sortedKeys(b.Labels) {
		args = append(args, "--label", k+"="+b.Labels[k])
	}
	c := e.Command(b.Log, append(args, b.Context)...)
	c.Env = []string{"DOCKER_BUILDKIT=1"}
	_, err := e.Runner.Run(ctx, c)
	return err
}

// HasImage tells whether the engine holds ref.
func (e *Engine) HasImage(ctx context.Context, ref string) (bool, error) {
	images, err := e.Inspect(ctx, ref)
	if err != nil {
		return false, err
	}
	return len(images) == 1, nil
}

// Holds tells whether the engine has any image of a repository, whatever its tag.
func (e *Engine) Holds(ctx context.Context, repository string) (bool, error) {
	out, err := e.Run(ctx, nil, "image", "ls", "--quiet", "--filter", "reference="+repository)
	if err != nil {
		return false, fmt.Errorf("list the images of %s: %w", repository, err)
	}
	return len(strings.TrimSpace(string(out))) > 0, nil
}

// References lists all images that have a name, in the form repository:tag.
func (e *Engine) References(ctx context.Context) ([]string, error) {
	out, err := e.Run(ctx, nil, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
	if err != nil {
		return nil, fmt.Errorf("list the engine's images: %w", err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(ref string) bool { return strings.Contains(ref, "<none>") }), nil
}

// Image is what the engine knows about an image.
type Image struct {
	// ID is the digest of the image's configuration, sha256:…
	ID string `json:"Id"`
	// Tags are the references that point to it.
	Tags []string `json:"RepoTags"`
	// Created is when the engine made it.
	Created time.Time
	// Size is in bytes, shared layers counted.
	Size int64
	// Architecture is like amd64.
	Architecture string
	// Config holds the labels.
	Config struct {
		Labels map[string]string
	}
	// RootFS lists the layers' uncompressed digests.
	RootFS struct {
		Layers []string
	}
}

// Inspect looks references up in one call. Those that the engine does not hold
// are left out of the result, which is keyed by the reference asked for.
func (e *Engine) Inspect(ctx context.Context, refs ...string) (map[string]Image, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	// The client exits 1 when one reference is missing, yet prints the others.
	out, err := e.Run(ctx, nil, append([]string{"image", "inspect"}, refs...)...)
	var images []Image
	if jsonErr := json.Unmarshal(out, &images); jsonErr != nil {
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("read the engine's image list: %w", jsonErr)
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	found := make(map[string]Image, len(images))
	for _, img := range images {
		if e.Kind == Podman {
			img.ID = "sha256:" + img.ID
		}
		for _, ref := range refs {
			for _, tag := range img.Tags {
				if strings.TrimPrefix(tag, "docker.io/") == strings.TrimPrefix(ref, "docker.io/") {
					found[ref] = img
				}
			}
			if img.ID == ref {
				found[ref] = img
			}
		}
	}
	return found, nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
