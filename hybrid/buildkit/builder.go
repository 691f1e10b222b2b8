package buildkit

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
)

// answerTimeout bounds the one question whether BuildKit is there.
const answerTimeout = 10 * time.Second

// Builder builds images on a BuildKit elsewhere. New makes it.
type Builder struct {
	engine *engine.Engine
	// client is the path of buildctl, host where it finds BuildKit.
	client, host string
	// cache is a repository of a registry or a folder of this machine; empty for none.
	cache string
}

// New finds the client and asks the BuildKit at host whether it is there, at most 10 s
// long. The host is what BUILDKIT_HOST may be, such as tcp://builder:1234. The cache, to
// which every build adds and from which it takes, is a repository of a registry as BuildKit
// sees it, or the absolute path of a folder of this machine; empty means that only
// BuildKit's own is used.
func New(ctx context.Context, e *engine.Engine, host, cache string) (*Builder, error) {
	return newBuilder(ctx, e, host, cache, exec.LookPath)
}

func newBuilder(ctx context.Context, e *engine.Engine, host, cache string, find func(string) (string, error)) (*Builder, error) {
	if !filepath.IsAbs(cache) && cache != "" {
		if _, err := name.NewRepository(cache); err != nil {
			return nil, fault.With(fmt.Errorf("BUILDKIT_CACHE=%q: %w", cache, err),
				"set BUILDKIT_CACHE to a repository such as registry.example.com/e2e/cache, or to the absolute path of a folder")
		}
	}
	client, err := find("buildctl")
	if err != nil {
		return nil, fault.With(fmt.Errorf("BUILDKIT_HOST=%s needs BuildKit's client: %w", host, err),
			"put buildctl of https://github.com/moby/buildkit/releases on PATH, or unset BUILDKIT_HOST to build with "+e.Kind)
	}
	b := &Builder{engine: e, client: client, host: host, cache: cache}
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("no answer within %s", answerTimeout))
	defer cancel()
	if _, err := e.Runner.Run(ctx, command.Command{Args: []string{client, "--addr", host, "debug", "workers"}}); err != nil {
		return nil, fault.With(fmt.Errorf("the BuildKit of BUILDKIT_HOST does not answer: %w", err),
			"start it, or unset BUILDKIT_HOST to build with "+e.Kind)
	}
	return b, nil
}

// String says where images are built.
func (b *Builder) String() string {
	if b.cache == "" {
		return b.host
	}
	return b.host + ", cache " + b.cache
}

// Build builds one image and brings it into the engine under its tag. Bases that only the
// engine has go along. The engine has to show the digest that BuildKit gave.
func (b *Builder) Build(ctx context.Context, o engine.BuildOptions) error {
	work, err := os.MkdirTemp("", "hybrid-buildkit-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // It is a temporary folder.
	args := b.arguments(o)
	for i, ref := range ownBases(o) {
		layout := filepath.Join(work, fmt.Sprintf("base-%d", i))
		digest, err := b.export(ctx, o.Log, ref, layout)
		if err != nil {
			return fmt.Errorf("hand %s to BuildKit: %w", ref, err)
		}
		store := fmt.Sprintf("base-%d", i)
		args = append(args, "--oci-layout", store+"="+layout, "--opt", "context:"+ref+"=oci-layout://"+store+"@"+digest)
	}
	archive, metadata := filepath.Join(work, "image.tar"), filepath.Join(work, "metadata.json")
	args = append(args, "--output", "type=docker,name="+o.Tag+",dest="+archive, "--metadata-file", metadata)
	if _, err := b.engine.Runner.Run(ctx, command.Command{Args: args, Log: o.Log}); err != nil {
		return err
	}
	if _, err := b.engine.Run(ctx, o.Log, "load", "--input", archive); err != nil {
		return fmt.Errorf("bring what BuildKit built into the engine: %w", err)
	}
	return b.proven(ctx, o.Tag, metadata)
}

// arguments are those of buildctl but for bases and output; equal options give equal ones.
func (b *Builder) arguments(o engine.BuildOptions) []string {
	args := []string{
		b.client, "--addr", b.host, "build", "--progress", "plain", "--frontend", "dockerfile.v0",
		"--local", "context=" + o.Context, "--local", "dockerfile=" + filepath.Dir(o.Dockerfile),
		"--opt", "filename=" + filepath.Base(o.Dockerfile),
	}
	for _, opt := range []struct{ name, value string }{
		{"force-network-mode", o.Network}, {"platform", o.Platform}, {"target", o.Target},
	} {
		if opt.value != "" {
			args = append(args, "--opt", opt.name+"="+opt.value)
		}
	}
	if o.Network == "host" {
		args = append(args, "--allow", "network.host")
	}
	for _, k := range slices.Sorted(maps.Keys(o.Args)) {
		args = append(args, "--opt", "build-arg:"+k+"="+o.Args[k])
	}
	for _, k := range slices.Sorted(maps.Keys(o.Labels)) {
		args = append(args, "--opt", "label:"+k+"="+o.Labels[k])
	}
	return append(args, b.caching(o.Tag)...)
}

// caching has each image take from the cache of its name and add to it, all stages
// included. A cache that cannot be written does not fail the build.
func (b *Builder) caching(tag string) []string {
	image, _, _ := strings.Cut(strings.TrimPrefix(tag, image.Registry+"/"), ":")
	image = strings.ReplaceAll(image, "/", "-")
	from, to := "type=registry,ref="+b.cache+":"+image, "type=registry,ref="+b.cache+":"+image
	switch {
	case b.cache == "":
		return nil
	case filepath.IsAbs(b.cache):
		from, to = "type=local,src="+filepath.Join(b.cache, image), "type=local,dest="+filepath.Join(b.cache, image)
	}
	return []string{"--import-cache", from, "--export-cache", to + ",mode=max,ignore-error=true"}
}

// proven has the engine show that it holds under tag what BuildKit says that it built. An
// engine names an image by the digest of its configuration, or of its manifest.
func (b *Builder) proven(ctx context.Context, tag, metadata string) error {
	text, err := os.ReadFile(metadata)
	if err != nil {
		return fmt.Errorf("read what BuildKit built: %w", err)
	}
	var built struct {
		Config   string `json:"containerimage.config.digest"`
		Manifest string `json:"containerimage.digest"`
	}
	if err := json.Unmarshal(text, &built); err != nil {
		return fmt.Errorf("read what BuildKit built: %w", err)
	}
	held, err := b.engine.Inspect(ctx, tag)
	if err != nil {
		return err
	}
	if id := held[tag].ID; id == "" || id != built.Config && id != built.Manifest {
		return fmt.Errorf("the engine has %s as %q, BuildKit built %s", tag, id, built.Config)
	}
	return nil
}
