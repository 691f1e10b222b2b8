package offline

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// The pinned images of the registries. The Dockerfiles have the same values as
// defaults of their build arguments, which a test proves.
const (
	GoToolset  = "registry.access.redhat.com/ubi9/go-toolset:1.26.7-1791479310@sha256:6f246e8913d082df463b62a74c72f0d2b410583e1b2ac48add39cd7ede59ce62"
	UBIMinimal = "registry.access.redhat.com/ubi9/ubi-minimal:9.7@sha256:161a4e29ea482bab6048c2b36031b4f302ae81e4ff18b83e61785f40dc576f5d"
	PostgreSQL = "docker.io/library/postgres:15-bookworm@sha256:b0c5bab0fbba8e0c221f73b1dc6359ec35f8650074377e727299df248fc8ad51"
	Redis      = "docker.io/library/redis:7.2-bookworm@sha256:74566c6910d13ae61e7ce73ebd3127438a1fe805b309b097c323142719ec8a5b"
)

// The build arguments by which Dockerfiles take their base images.
const (
	GoToolsetArg  = "GO_TOOLSET_IMAGE"
	UBIMinimalArg = "UBI_MINIMAL_IMAGE"
	PostgreSQLArg = "POSTGRESQL_IMAGE"
	RedisArg      = "REDIS_IMAGE"
)

// pin is one image of a registry.
type pin struct {
	// name is the end of its task's name.
	name string
	// arg is the build argument that takes it, empty for the node image.
	arg string
	ref string
}

// pinned lists what a run needs of the registries. The node image is the one
// that kind's release was tested with.
func pinned() []pin {
	return []pin{
		{"go-toolset", GoToolsetArg, GoToolset},
		{"ubi-minimal", UBIMinimalArg, UBIMinimal},
		{"postgresql", PostgreSQLArg, PostgreSQL},
		{"redis", RedisArg, Redis},
		{"node", "", defaults.Image},
	}
}

// DefaultPullTimeout bounds the pull of one image: a gigabyte at 1 MB/s.
const DefaultPullTimeout = 20 * time.Minute

// pulls gives one task per pinned image, which pulls it if it is absent; that of the node
// image is the last.
func pulls(o Options, result *Images) (first, last []task.Task) {
	result.BuildArgs, result.Foreign = map[string]string{}, map[string]string{}
	for _, platform := range o.Foreign {
		// Its digest is that of an index: the builder fetches what it needs of it.
		result.Foreign[platform] = UBIMinimal
	}
	for _, p := range pinned() {
		t := task.Task{Name: "pull." + p.name, Run: func(ctx context.Context, h *task.Handle) error {
			return pull(ctx, o, p.ref, h)
		}}
		switch {
		case p.arg != "":
			result.BuildArgs[p.arg] = p.ref
			first = append(first, t)
		case !o.NoNode:
			result.Node = p.ref
			last = append(last, t)
		}
	}
	return first, last
}

func pull(ctx context.Context, o Options, ref string, h *task.Handle) error {
	if _, err := o.Engine.Run(ctx, nil, "image", "inspect", "--format", "{{.Id}}", ref); err == nil {
		h.Cached("%s", ref)
		return nil
	}
	timeout := cmp.Or(o.PullTimeout, DefaultPullTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it did not come within %s (PULL_TIMEOUT)", timeout))
	defer cancel()
	if _, err := o.Engine.Run(ctx, h, "pull", ref); err != nil {
		return fault.With(fmt.Errorf("pull %s: %w", ref, err), "mend the way to the registry, or make stand-ins instead with IMAGE_SOURCE=local")
	}
	h.Detail("%s", ref)
	return nil
}
