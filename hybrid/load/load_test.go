package load

import (
	"context"
	"errors"
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
	held = "sha256:bb 7 [registry.k8s.io/pause:3]\nsha256:aa 7 [" + ref + " hybrid.local/b:1]\n"
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

// lateNode answers like the Recorder, but what it lists has the image only from the
// given call on.
type lateNode struct {
	*command.Recorder
	asked, from int
}

func (n *lateNode) Run(ctx context.Context, c command.Command) ([]byte, error) {
	out, err := n.Recorder.Run(ctx, c)
	if slices.Contains(c.Args, ask) {
		if n.asked++; n.asked < n.from {
			return nil, err
		}
	}
	return out, err
}

func TestANodeIsAskedOnceForAllImages(t *testing.T) {
	second := strings.ReplaceAll(ref, "/a:", "/b:")
	both := `[{"Id":"sha256:aa","RepoTags":["` + ref + `","` + second + `"],"Config":{"Labels":{"io.hybrid.security-epoch":"2026-11-23"}}}]`
	for _, c := range []struct {
		name string
		from int
		want []string
	}{
		{"there", 1, []string{"ask"}},
		{"sent", 2, []string{"ask", "snapshots", "save", "import", "ask"}},
		{"known late", 4, []string{"ask", "snapshots", "save", "import", "ask", "ask", "ask"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &command.Recorder{Replies: map[string]command.Reply{
					"docker image inspect " + ref + " " + second:                                           {Stdout: both},
					command.Command{Args: []string{"docker", "exec", "n1", "/bin/sh", "-c", ask}}.String(): {Stdout: held},
					"docker exec n1 ctr": {},
					"docker save " + ref + " " + second: {Stdout: string(archive(t,
						file{name: "c.json", content: "{}"},
						file{name: "manifest.json", content: `[{"Config":"c.json","RepoTags":["` + ref + `","` + second + `"],"Layers":[]}]`}))},
					"docker exec --interactive n1 ctr": {},
				}}
				began := time.Now()
				err := task.Group{Phase: "load"}.Run(t.Context(), Tasks(Options{
					Engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: &lateNode{Recorder: r, from: c.from}},
					Nodes:  []string{"n1"}, Refs: []string{ref, second}, Now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
				})...)
				if err != nil {
					t.Fatal(err)
				}
				if took, want := time.Since(began), time.Duration(max(0, c.from-2))*settleEvery; took != want {
					t.Errorf("took %s, want %s", took, want)
				}
				var got []string
				for _, call := range r.Calls() {
					for _, word := range []string{"save", "import", "snapshots", "crictl"} {
						if strings.Contains(call, word) && !strings.HasPrefix(call, "docker image") {
							got = append(got, strings.ReplaceAll(word, "crictl", "ask"))
						}
					}
				}
				slices.Sort(got[min(2, len(got)):min(4, len(got))]) // Saving and importing run at the same time.
				want := slices.Clone(c.want)
				slices.Sort(want[min(2, len(want)):min(4, len(want))])
				if !slices.Equal(got, want) {
					t.Errorf("calls %v, want %v", got, want)
				}
			})
		})
	}
}

func TestListed(t *testing.T) {
	want := map[string]string{"r/a:1": "sha256:aa", "r/b:1": "sha256:bb", "r/b:2": "sha256:bb"}
	for name, out := range map[string]string{
		"crictl": `{"images":[{"id":"sha256:aa","repoTags":["r/a:1"],"size":"7"},{"id":"sha256:bb","repoTags":["r/b:1","r/b:2"]},{"id":"sha256:cc","repoTags":[]}]}`,
		"lines":  "sha256:aa 7 [r/a:1]\nsha256:bb 8 [r/b:1 r/b:2]\n",
	} {
		got, err := listed([]byte(out))
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for out, want := range map[string]string{"{": "unexpected end of JSON input", "sha256:aa 7": `line "sha256:aa 7" is not an image`} {
		if _, err := listed([]byte(out)); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", out, err, want)
		}
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
		"docker exec n1 ctr":     {},
		"docker exec n2 ctr":     {},
		"docker exec n1 /bin/sh": {},
		"docker exec n2 /bin/sh": {},
		"docker save " + ref:     {Stdout: string(saved)},
		"docker exec --interactive n1 ctr --namespace k8s.io images import --all-platforms --digests --snapshotter overlayfs -": {},
		"docker exec --interactive n2 ctr --namespace k8s.io images import --all-platforms --digests --snapshotter overlayfs -": {},
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
			"docker exec n1 /bin/sh": {},
			"docker exec n2 /bin/sh": {},
			"docker exec n1 ctr --namespace k8s.io snapshots --snapshotter overlayfs list": {Stdout: snapshots},
			"docker exec n2 ctr --namespace k8s.io snapshots --snapshotter overlayfs list": {Stdout: c.other},
			"docker save " + ref:           {Stdout: string(savedAs(t, blobPath(base)))},
			"docker exec --interactive n1": {},
			"docker exec --interactive n2": {},
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
		"docker exec n1 ctr":           {},
		"docker exec n2 ctr":           {},
		"docker exec n1 /bin/sh":       {},
		"docker exec n2 /bin/sh":       {},
		"docker save " + ref:           {Stdout: string(savedAs(t, "base/layer.tar"))},
		"docker exec --interactive n1": {Err: errors.New("no space left on device")},
		"docker exec --interactive n2": {},
	}}
	err := run(t, r)
	if err == nil || !strings.Contains(err.Error(), "import on node n1") || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("error %v", err)
	}
}
