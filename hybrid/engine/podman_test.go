package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
)

func podman(replies map[string]command.Reply) (*Engine, *command.Recorder) {
	r := &command.Recorder{Replies: replies}
	return &Engine{Kind: Podman, CLI: "podman", Runner: r}, r
}

// TestPodmanLeavesTheAlgorithmOut has an answer of podman 4.3, which fails when an image is
// missing.
func TestPodmanLeavesTheAlgorithmOut(t *testing.T) {
	e, _ := podman(map[string]command.Reply{
		"podman image inspect x/a:1 x/b:1": {Stdout: `[{"Id":"413763a6","RepoTags":["x/a:1"]}]`},
	})
	got, err := e.Inspect(t.Context(), "x/a:1", "x/b:1")
	if err != nil || len(got) != 1 || got["x/a:1"].ID != "sha256:413763a6" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPodmanBuildArguments(t *testing.T) {
	e, r := podman(map[string]command.Reply{"podman build": {}})
	err := e.Build(t.Context(), BuildOptions{
		Dockerfile: "docker/a.Dockerfile", Context: ".", Tag: "x/a:1", Network: "host", CacheFrom: []string{"x/base:1"}, CacheInto: true,
		Args: map[string]string{"A": "1"}, Labels: map[string]string{"l": "v"},
	})
	want := []string{"podman build --file docker/a.Dockerfile --tag x/a:1 --network host --build-arg A=1 --label l=v ."}
	if err != nil || !slices.Equal(r.Calls(), want) {
		t.Errorf("%v, calls\n%q\nwant\n%q", err, r.Calls(), want)
	}
}

func TestPodmanRemovesAtOnce(t *testing.T) {
	const remove = "podman rm --force --volumes --time 0 --ignore 1 2"
	e, r := podman(map[string]command.Reply{remove: {}})
	if err := e.RemoveContainers(t.Context(), "1", "2"); err != nil || !slices.Equal(r.Calls(), []string{remove}) {
		t.Errorf("%v, calls %q", err, r.Calls())
	}
}

func TestNodeVolumes(t *testing.T) {
	const list = "podman volume ls --quiet --filter label=n --filter dangling=true"
	failed := errors.New("exit status 125")
	for name, c := range map[string]struct {
		replies map[string]command.Reply
		calls   []string
		err     string
	}{
		"none":       {map[string]command.Reply{list: {}}, []string{list}, ""},
		"two":        {map[string]command.Reply{list: {Stdout: "a\nb\n"}, "podman volume rm a b": {}}, []string{list, "podman volume rm a b"}, ""},
		"not listed": {map[string]command.Reply{list: {Err: failed}}, []string{list}, "list the volumes of node n: "},
		"it stays": {
			map[string]command.Reply{list: {Stdout: "a\n"}, "podman volume rm a": {Err: failed}},
			[]string{list, "podman volume rm a"},
			"remove the volumes of node n: ",
		},
	} {
		e, r := podman(c.replies)
		err := e.RemoveNodeVolumes(t.Context(), "n")
		if (c.err == "") != (err == nil) || err != nil && (!strings.HasPrefix(err.Error(), c.err) || !errors.Is(err, failed)) {
			t.Errorf("%s: error %v", name, err)
		}
		if !slices.Equal(r.Calls(), c.calls) {
			t.Errorf("%s: calls %q", name, r.Calls())
		}
	}
	e, r := docker(nil)
	if err := e.RemoveNodeVolumes(t.Context(), "n"); err != nil || len(r.Calls()) > 0 {
		t.Errorf("docker: %v, calls %q", err, r.Calls())
	}
}
