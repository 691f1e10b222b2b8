package scaling

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/test/sample"
)

func siteWith(r *command.Recorder, preloaded string) *site {
	return &site{
		Repository: sample.Repository{Name: name, Services: 2, Token: "abc"}, preloaded: preloaded,
		engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r},
	}
}

const listing = "docker image ls --format '{{.Repository}}:{{.Tag}}' --filter 'reference=hybrid.local/scaling-abc-*'"

func TestExactlyTheOwnImagesAreRemoved(t *testing.T) {
	for _, c := range []struct {
		name, listed, preloaded, inspected string
		want                               []string
	}{
		{
			"all", "hybrid.local/scaling-abc-01:k1\nhybrid.local/scaling-abc-02:k2\n", "hybrid.local/node:p", `[{"RepoTags":["hybrid.local/node:p"]}]`,
			[]string{
				listing, "docker image rm --no-prune hybrid.local/scaling-abc-01:k1 hybrid.local/scaling-abc-02:k2",
				"docker image inspect hybrid.local/node:p", "docker image rm --no-prune hybrid.local/node:p",
			},
		},
		{"the node image was never made", "", "hybrid.local/node:p", "[]", []string{listing, "docker image inspect hybrid.local/node:p"}},
		{"nodes start without images", "", "", "", []string{listing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &command.Recorder{Replies: map[string]command.Reply{
				"docker image ls": {Stdout: c.listed}, "docker image inspect": {Stdout: c.inspected}, "docker image rm": {},
			}}
			if err := siteWith(r, c.preloaded).forget(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := r.Calls(); !slices.Equal(got, c.want) {
				t.Errorf("calls\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestAFailedRemovalIsTold(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image ls": {Stdout: "hybrid.local/scaling-abc-01:k1\n"}, "docker image rm": {Err: errors.New("in use")},
	}}
	err := siteWith(r, "").forget(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "remove generated images: docker image rm") {
		t.Errorf("error %v", err)
	}
}

func TestTheWholeCountsNothingTwice(t *testing.T) {
	w := newWatch()
	for _, part := range []string{partBuild, partUnchanged, partCluster, partLoad, partDeploy} {
		w.lap(part)
	}
	sum := w.parts[partBuild] + w.parts[partCluster] + w.parts[partLoad] + w.parts[partDeploy]
	if got := w.parts[partWhole]; got != sum || w.parts[partUnchanged] == 0 {
		t.Errorf("whole %g of %v, want %g", got, w.parts, sum)
	}
}
