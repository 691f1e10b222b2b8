package offline

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// transport answers instead of the network.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func TestDecide(t *testing.T) {
	answers := func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusUnauthorized, Body: http.NoBody, Request: r}, nil
	}
	halfReachable := func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "registry-1.docker.io" {
			return nil, errors.New("no such host")
		}
		return answers(r)
	}
	unasked := func(r *http.Request) (*http.Response, error) {
		t.Errorf("asked %s", r.URL)
		return nil, errors.New("unasked")
	}
	for _, c := range []struct {
		name, wish string
		present    bool
		network    transport
		want       Source
		reason     string
	}{
		{name: "registry by wish", wish: "registry", network: unasked, want: Registry, reason: "IMAGE_SOURCE=registry"},
		{name: "local by wish", wish: "local", network: unasked, want: Local, reason: "IMAGE_SOURCE=local"},
		{name: "all present", wish: "auto", present: true, network: unasked, want: Registry, reason: "the engine holds every pinned image"},
		{name: "registries answer", network: answers, want: Registry, reason: "the registries answer"},
		{name: "one does not", network: halfReachable, want: Local, reason: "no registry answers: registry-1.docker.io: no such host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &command.Recorder{Replies: map[string]command.Reply{"docker image inspect": {Err: errors.New("no such image")}}}
			if c.present {
				r.Replies["docker image inspect"] = command.Reply{Stdout: "sha256:aa\n"}
			}
			e := &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}
			got, reason, err := decide(t.Context(), e, c.wish, &http.Client{Transport: c.network})
			if err != nil || got != c.want || reason != c.reason {
				t.Errorf("got %s, %q, %v; want %s, %q", got, reason, err, c.want, c.reason)
			}
			for _, call := range r.Calls() {
				if !strings.HasPrefix(call, "docker image inspect --format '{{.Id}}' "+GoToolset+" "+UBIMinimal+" "+PostgreSQL+" "+Redis+" "+pinnedNode()) {
					t.Errorf("called %s", call)
				}
			}
		})
	}
}

func TestDecideRefusesWhatItDoesNotKnow(t *testing.T) {
	_, _, err := decide(t.Context(), nil, "mirror", nil)
	if err == nil || !strings.Contains(fault.Next(err), "auto, registry or local") {
		t.Errorf("error %v, next %q", err, fault.Next(err))
	}
}

func TestDecideStopsWhenInterrupted(t *testing.T) {
	stop := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	r := &command.Recorder{Replies: map[string]command.Reply{"docker image inspect": {Err: errors.New("no such image")}}}
	client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		cancel(stop)
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
	_, _, err := decide(ctx, &engine.Engine{CLI: "docker", Runner: r}, "", client)
	if !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
}
