package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
)

// lookTimeout bounds the question which images a registry has: it must not hold up a
// machine that cannot reach it.
const lookTimeout = 3 * time.Second

// atOnce is how many questions are asked, and images sent, at once.
const atOnce = 4

var errNoHost = errors.New("it starts with no host")

// Registry is a place for images. Credentials are those of docker and podman.
type Registry struct{ prefix string }

// Parse reads REGISTRY: host[:port][/path]. Where the host is this machine or one of a
// private network, HTTP is spoken, else HTTPS.
func Parse(value string) (Registry, error) {
	r := Registry{strings.TrimSuffix(value, "/")}
	at, err := r.at(image.Registry + "/any:key")
	if err == nil && (strings.Contains(value, "//") || !strings.HasPrefix(r.prefix+"/", at.RegistryStr()+"/")) {
		err = errNoHost
	}
	if err != nil {
		return r, fault.With(fmt.Errorf("REGISTRY=%q: %w", value, err), "set REGISTRY to host[:port][/path], such as registry.example.com/e2e")
	}
	return r, nil
}

// IsZero tells whether there is none.
func (r Registry) IsZero() bool { return r.prefix == "" }

// String is the registry as it was given.
func (r Registry) String() string { return r.prefix }

// at is where the registry has the image ref of the engine.
func (r Registry) at(ref string) (name.Tag, error) {
	return name.NewTag(r.prefix + strings.TrimPrefix(ref, image.Registry))
}

// Has tells which of refs the registry has, in their order. It gives up after 3 s.
func (r Registry) Has(ctx context.Context, refs ...string) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lookTimeout, fmt.Errorf("no answer within %s", lookTimeout))
	defer cancel()
	found := make([]bool, len(refs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, ref := range refs {
		g.Go(func() error {
			at, err := r.at(ref)
			if err != nil {
				return err
			}
			_, err = remote.Head(at, r.options(gctx)...)
			found[i] = err == nil
			if refused, ok := errors.AsType[*transport.Error](err); ok && refused.StatusCode == http.StatusNotFound {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("ask %s: %w", r, errors.Join(context.Cause(ctx), err))
	}
	var has []string
	for i, ref := range refs {
		if found[i] && !slices.Contains(has, ref) {
			has = append(has, ref)
		}
	}
	return has, nil
}

func (r Registry) options(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithJobs(atOnce)}
}
