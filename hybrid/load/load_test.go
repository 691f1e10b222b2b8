package load

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

const (
	ref  = "hybrid.local/a:1"
	held = `{"images":[{"id":"sha256:bb","repoTags":["registry.k8s.io/pause:3"]},{"id":"sha256:aa","repoTags":["` + ref + `","hybrid.local/b:1"]}]}`
	none = `{"images":[]}`
)

func inspected(epoch string) string {
	return `[{"Id":"sha256:aa","RepoTags":["` + ref + `"],"Config":{"Labels":{"io.hybrid.security-epoch":"` + epoch + `"}}}]`
}

func run(t *testing.T, r *command.Recorder) error {
	t.Helper()
	o := Options{
		Engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r},
		Nodes:  []string{"n1", "n2"},
		Refs:   []string{ref},
		Now:    time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
	var err error
	// A node that never knows an image is waited for, in no time.
	synctest.Test(t, func(t *testing.T) { err = task.Group{Phase: "load"}.Run(t.Context(), Tasks(o)...) })
	return err
}

func TestNothingIsSentWhenEveryNodeHoldsTheDigest(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect":   {Stdout: inspected("2026-11-23")},
		"docker exec n1 /bin/sh": {Stdout: held},
		"docker exec n2 /bin/sh": {Stdout: held},
	}}
	if err := run(t, r); err != nil {
		t.Fatal(err)
	}
	for _, call := range r.Calls() {
		if strings.HasPrefix(call, "docker save") {
			t.Errorf("saved although nothing was missing: %s", call)
		}
	}
}

// call is how a command begins by which the engine has a node run a script.
func call(args ...string) string {
	return command.Command{Args: append([]string{"docker", "exec"}, args...)}.String()
}

// lateNode answers like the Recorder, but what it lists has the image only from the
// given call on.
type lateNode struct {
	*command.Recorder
	asked, from int
}

func (n *lateNode) Run(ctx context.Context, c command.Command) ([]byte, error) {
	lists := slices.Contains(c.Args, ask) || slices.Contains(c.Args, take)
	if lists {
		n.asked++
	}
	late := lists && n.asked < n.from
	to := c.Stdout
	if late && to != nil {
		c.Stdout = io.Discard
	}
	out, err := n.Recorder.Run(ctx, c)
	switch {
	case late && to != nil:
		_, err = io.WriteString(to, none)
	case late:
		out = []byte(none)
	}
	return out, err
}

func TestANodeIsAskedOnceForAllImages(t *testing.T) {
	second := strings.ReplaceAll(ref, "/a:", "/b:")
	both := `[{"Id":"sha256:aa","RepoTags":["` + ref + `","` + second + `"],"Config":{"Labels":{"io.hybrid.security-epoch":"2026-11-23"}}}]`
	for _, c := range []struct {
		name string
		held map[string]string
		from int
		want []string
	}{
		{"there", nil, 1, []string{"ask"}},
		{"sent", nil, 2, []string{"ask", "import", "save", "snapshots"}},
		{"known late", nil, 4, []string{"ask", "import", "save", "snapshots", "ask", "ask"}},
		{"known to be there, which is proven", map[string]string{ref: "sha256:aa", second: "sha256:aa"}, 1, []string{"ask"}},
		{"known to lack one, and another version of the other", map[string]string{ref: "sha256:bb"}, 1, []string{"import", "save", "snapshots"}},
		{"known to lack them, known late", map[string]string{}, 2, []string{"import", "save", "snapshots", "ask"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &command.Recorder{Replies: map[string]command.Reply{
					"docker image inspect " + ref + " " + second: {Stdout: both},
					call("n1", "/bin/sh", "-c", ask):             {Stdout: held},
					call("n1", "/bin/sh", "-c", unpacked):        {},
					"docker save " + ref + " " + second: {Stdout: string(archive(t,
						file{name: "c.json", content: "{}"},
						file{name: "manifest.json", content: `[{"Config":"c.json","RepoTags":["` + ref + `","` + second + `"],"Layers":[]}]`}))},
					call("--interactive", "n1", "/bin/sh", "-c", take): {Stdout: held},
				}}
				began := time.Now()
				err := task.Group{Phase: "load"}.Run(t.Context(), Tasks(Options{
					Engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: &lateNode{Recorder: r, from: c.from}},
					Nodes:  []string{"n1"}, Refs: []string{ref, second}, Held: c.held, Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
				})...)
				if err != nil {
					t.Fatal(err)
				}
				// The answer with the import is the second, or the first.
				first := 2
				if c.held != nil && len(c.held) < 2 {
					first = 1
				}
				if took, want := time.Since(began), time.Duration(max(0, c.from-first))*settleEvery; took != want {
					t.Errorf("took %s, want %s", took, want)
				}
				var got []string
				for _, call := range r.Calls() {
					for _, step := range [][2]string{{"ask", "fi; crictl images"}, {"import", "images import"}, {"save", "docker save"}, {"snapshots", "snapshots"}} {
						if strings.Contains(call, step[1]) {
							got = append(got, step[0])
						}
					}
				}
				slices.Sort(got[min(first-1, len(got)):min(first+2, len(got))]) // These run at the same time.
				if !slices.Equal(got, c.want) {
					t.Errorf("calls %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestListed(t *testing.T) {
	want := map[string]string{"r/a:1": "sha256:aa", "r/b:1": "sha256:bb", "r/b:2": "sha256:bb"}
	got, err := listed([]byte(`{"images":[{"id":"sha256:aa","repoTags":["r/a:1"],"size":"7"},{"id":"sha256:bb","repoTags":["r/b:1","r/b:2"]},{"id":"sha256:cc","repoTags":[]}]}`))
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := listed([]byte("{")); err == nil || err.Error() != "unexpected end of JSON input" {
		t.Errorf("error %v", err)
	}
}

// savedAs is what the engine saves of ref, whose lower layer is at base.
func savedAs(t *testing.T, base string) []byte {
	t.Helper()
	return archive(t,
		file{name: base, content: "base"}, file{name: "top/layer.tar", content: "top"}, file{name: "c.json", content: "{}"},
		file{name: "manifest.json", content: `[{"Config":"c.json","RepoTags":["` + ref + `"],"Layers":["` + base + `","top/layer.tar"]}]`},
	)
}

func TestOneSaveFeedsEveryNode(t *testing.T) {
	saved := savedAs(t, "base/layer.tar")
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect":   {Stdout: inspected("2026-11-23")},
		"docker exec n1 /bin/sh": {Stdout: none},
		"docker exec n2 /bin/sh": {Stdout: none},
		"docker save " + ref:     {Stdout: string(saved)},
		call("--interactive", "n1", "/bin/sh", "-c", "ctr --namespace k8s.io images import --local --all-platforms --snapshotter overlayfs - >&2 && crictl images --output json"): {Stdout: none},
		call("--interactive", "n2", "/bin/sh", "-c", "ctr --namespace k8s.io images import --local --all-platforms --snapshotter overlayfs - >&2 && crictl images --output json"): {Stdout: none},
	}}
	err := run(t, r)
	if err == nil || !strings.Contains(err.Error(), "still lack ["+ref+"]") {
		t.Fatalf("nodes that never hold the image must fail the proof, got %v", err)
	}
	saves, fed := 0, 0
	stdin := r.Stdin()
	for i, call := range r.Calls() {
		if strings.HasPrefix(call, "docker save") {
			saves++
		}
		if strings.Contains(call, "images import") {
			if order, _ := read(t, []byte(stdin[i])); slices.Equal(order[:2], []string{"base/layer.tar", "top/layer.tar"}) {
				fed++
			}
		}
	}
	if saves != 1 || fed != 2 {
		t.Errorf("saved %d times and fed %d nodes, want 1 and 2", saves, fed)
	}
}

// A layer stays away only when all nodes have it.
func TestLayersOfTheNodesAreNotSent(t *testing.T) {
	base := digest.FromString("base")
	images := `[{"Id":"sha256:aa","RepoTags":["` + ref + `"],"Config":{"Labels":{"io.hybrid.security-epoch":"2026-11-23"}},` +
		`"RootFS":{"Layers":["` + base.String() + `","` + digest.FromString("top").String() + `"]}}]`
	snapshots := "KEY PARENT KIND\n" + base.String() + "  Committed\nextract-1 " + base.String() + " Active\n"
	for _, c := range []struct {
		other string
		want  []string
	}{
		{snapshots, []string{"top/layer.tar"}},
		{"KEY PARENT KIND\n", []string{blobPath(base), "top/layer.tar"}},
	} {
		r := &command.Recorder{Replies: map[string]command.Reply{
			"docker image inspect":   {Stdout: images},
			"docker exec n1 /bin/sh": {Stdout: none},
			"docker exec n2 /bin/sh": {Stdout: none},
			call("n1", "/bin/sh", "-c", "if [ -e /kind/preloaded-files.tar ]; then systemctl start preloaded.service || exit; fi; "+
				"ctr --namespace k8s.io snapshots --snapshotter overlayfs list"): {Stdout: snapshots},
			call("n2", "/bin/sh", "-c", unpacked): {Stdout: c.other},
			"docker save " + ref:                  {Stdout: string(savedAs(t, blobPath(base)))},
			"docker exec --interactive n1":        {Stdout: none},
			"docker exec --interactive n2":        {Stdout: none},
		}}
		if err := run(t, r); err == nil || !strings.Contains(err.Error(), "still lack") {
			t.Fatalf("error %v", err)
		}
		for i, call := range r.Calls() {
			if !strings.Contains(call, "images import") {
				continue
			}
			if order, _ := read(t, []byte(r.Stdin()[i])); !slices.Equal(order[:len(c.want)], c.want) || strings.HasPrefix(order[len(c.want)], "top") {
				t.Errorf("sent %v, want %v first", order, c.want)
			}
		}
	}
}

func TestOldSecurityUpdatesAreRefused(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{"docker image inspect": {Stdout: inspected("2026-11-20")}}}
	err := run(t, r)
	if err == nil || !strings.Contains(err.Error(), "the last security update is 84h0m0s old, the policy allows 24h0m0s") {
		t.Errorf("error %v", err)
	}
}

func TestAFailedImportEndsTheSave(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect":         {Stdout: inspected("2026-11-23")},
		"docker exec n1 /bin/sh":       {Stdout: none},
		"docker exec n2 /bin/sh":       {Stdout: none},
		"docker save " + ref:           {Stdout: string(savedAs(t, "base/layer.tar"))},
		"docker exec --interactive n1": {Err: errors.New("no space left on device")},
		"docker exec --interactive n2": {Stdout: none},
	}}
	err := run(t, r)
	if err == nil || !strings.Contains(err.Error(), "import on node n1") || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("error %v", err)
	}
}

func TestAFailedSaveIsTheCause(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect":         {Stdout: inspected("2026-11-23")},
		"docker exec n1 /bin/sh":       {Stdout: none},
		"docker exec n2 /bin/sh":       {Stdout: none},
		"docker save " + ref:           {Err: errors.New("no such file")},
		"docker exec --interactive n1": {Stdout: none},
		"docker exec --interactive n2": {Stdout: none},
	}}
	if err := run(t, r); err == nil || !strings.HasSuffix(err.Error(), "save images: docker save "+ref+": no such file") {
		t.Errorf("error %v", err)
	}
}
