package offline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// Source is where base images come from.
type Source string

// The sources. Auto is only asked for, never decided.
const (
	Auto     Source = "auto"
	Registry Source = "registry"
	Local    Source = "local"
)

// probeTimeout bounds the one look at the registries.
const probeTimeout = 3 * time.Second

// probeURLs are the version endpoints of the registries that the pinned
// references name. Any HTTP answer counts: 401 is what a registry says to
// strangers.
func probeURLs() []string {
	return []string{"https://registry.access.redhat.com/v2/", "https://registry-1.docker.io/v2/"}
}

// Decide tells where the base images come from, and why in a few words. The
// wish is registry, local or auto (also when empty). Auto means the registry
// when the engine holds every pinned image already or all registries answer
// within 3 s, else local.
func Decide(ctx context.Context, e *engine.Engine, wish string) (Source, string, error) {
	client := &http.Client{
		// The system's proxy settings apply; a redirect is an answer, too.
		Transport:     http.DefaultTransport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return decide(ctx, e, wish, client)
}

func decide(ctx context.Context, e *engine.Engine, wish string, client *http.Client) (Source, string, error) {
	switch Source(wish) {
	case Registry, Local:
		return Source(wish), "IMAGE_SOURCE=" + wish, nil
	case Auto, "":
	default:
		return "", "", fault.With(fmt.Errorf("IMAGE_SOURCE=%q is not known", wish),
			"set IMAGE_SOURCE to auto, registry or local, or unset it")
	}
	present, err := holdsPinned(ctx, e)
	if err != nil {
		return "", "", err
	}
	if present {
		return Registry, "the engine holds every pinned image", nil
	}
	if err := probe(ctx, client, probeURLs()); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return "", "", cause
		}
		return Local, "no registry answers: " + err.Error(), nil
	}
	return Registry, "the registries answer", nil
}

// holdsPinned tells whether the engine has all pinned images.
func holdsPinned(ctx context.Context, e *engine.Engine) (bool, error) {
	args := []string{"image", "inspect", "--format", "{{.Id}}"}
	for _, p := range pinned() {
		args = append(args, p.ref)
	}
	// The client fails when one is missing; whether the engine is healthy was
	// found out when it was detected.
	_, err := e.Run(ctx, nil, args...)
	if cause := context.Cause(ctx); cause != nil {
		return false, cause
	}
	return err == nil, nil
}

// probe asks all registries at once; the first that does not answer decides.
func probe(ctx context.Context, client *http.Client, urls []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, fmt.Errorf("no answer within %s", probeTimeout))
	defer cancel()
	answers := make(chan error, len(urls))
	for _, url := range urls {
		go func() { answers <- ask(ctx, client, url) }()
	}
	for range urls {
		if err := <-answers; err != nil {
			return err
		}
	}
	return nil
}

func ask(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			return fmt.Errorf("%s: %w", request.URL.Host, cause)
		}
		return fmt.Errorf("%s: %w", request.URL.Host, errors.Unwrap(err))
	}
	return response.Body.Close()
}
