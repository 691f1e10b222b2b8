package load

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// The images of sharing.
const (
	storeRef   = "r/a:1"
	serviceRef = "r/b:1"
)

// described is an image as the engine tells it, with layers of one letter each.
func described(ref, id, layers string) string {
	list := make([]string, len(layers))
	for i, l := range layers {
		list[i] = `"sha256:` + strings.Repeat(string(l), 64) + `"`
	}
	return fmt.Sprintf(`{"Id":"sha256:%s","RepoTags":[%q],"RootFS":{"Layers":[%s]}}`, id, ref, strings.Join(list, ","))
}

func preloaded(t *testing.T, images string, present bool) (string, *command.Recorder, error) {
	t.Helper()
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect node:1": {Stdout: "[" + images + "]"},
		"docker image inspect":        {Stdout: "[]"},
		"docker save":                 {Stdout: string(archive(t, sharing("x/layer.tar", "y/layer.tar", "base/layer.tar")...))},
		"docker run":                  {}, "docker commit": {}, "docker rm": {},
	}}
	o := PreloadOptions{
		Engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r},
		Node:   "node:1", Refs: []string{storeRef, serviceRef}, Changing: []string{serviceRef}, Changes: []string{"CMD []"},
	}
	ref, _, err := o.ref(t.Context())
	if err != nil {
		return "", r, err
	}
	if present {
		r.Replies["docker image inspect "+ref] = command.Reply{Stdout: `[{"Id":"sha256:p","RepoTags":["` + ref + `"]}]`}
	}
	var result string
	err = task.Group{Phase: "build"}.Run(t.Context(), PreloadTask(o, &result))
	if result != ref {
		t.Errorf("the task stored %q, want %q", result, ref)
	}
	return ref, r, err
}

var node = described("node:1", "aa", "a")

func TestPreloadedNodeImageIsNamedAfterWhatSeldomChanges(t *testing.T) {
	images := func(store, id, layers string) string {
		return strings.Join([]string{node, described(storeRef, store, "ab"), described(serviceRef, id, layers)}, ",")
	}
	ref := func(images string) string {
		t.Helper()
		got, _, err := preloaded(t, images, true)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := ref(images("bb", "cc", "abc"))
	if !strings.HasPrefix(first, "hybrid.local/kindest-node-preloaded:") {
		t.Errorf("reference %s", first)
	}
	if again := ref(images("bb", "dd", "abd")); again != first {
		t.Errorf("another last layer of the service: %s, want %s", again, first)
	}
	for what, other := range map[string]string{
		"another store": images("ee", "cc", "abc"), "another base of the service": images("bb", "cc", "aec"),
	} {
		if got := ref(other); got == first {
			t.Errorf("%s: still %s", what, got)
		}
	}
}

func TestPreloadedNodeImageIsMadeOnce(t *testing.T) {
	images := strings.Join([]string{node, described(storeRef, "bb", "ab"), described(serviceRef, "cc", "abc")}, ",")
	_, r, err := preloaded(t, images, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range r.Calls() {
		if !strings.HasPrefix(call, "docker image inspect") {
			t.Errorf("it exists, yet: %s", call)
		}
	}
}

func TestPreloadBakesTheImages(t *testing.T) {
	images := strings.Join([]string{node, described(storeRef, "bb", "ab"), described(serviceRef, "cc", "abc")}, ",")
	ref, r, err := preloaded(t, images, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"docker save r/a:1 r/b:1",
		"docker run --name NAME --privileged --network none --interactive --mount type=volume,destination=/store " +
			"--entrypoint /bin/sh node:1 -c SCRIPT",
		"docker commit --change 'CMD []' --change 'LABEL io.hybrid.preloaded-into=node:1 io.hybrid.preloaded=r/a:1=sha256:bb,r/b:1=sha256:cc' NAME " + ref,
		"docker rm --force --volumes NAME",
	}
	var got []string
	for i, call := range r.Calls() {
		call = regexp.MustCompile(`hybrid-node-preload-\w+`).ReplaceAllString(call, "NAME")
		if head, _, found := strings.Cut(call, " -c "); found {
			call = head + " -c SCRIPT"
			if order, _ := read(t, []byte(r.Stdin()[i])); order[len(order)-1] != "oci-layout" {
				t.Errorf("the container was given %v", order)
			}
		}
		if !strings.HasPrefix(call, "docker image inspect") {
			got = append(got, call)
		}
	}
	// The first two run at the same time.
	slices.Sort(got[:2])
	slices.Sort(want[:2])
	if !slices.Equal(got, want) {
		t.Errorf("calls\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPreloadNamesAnImageThatIsMissing(t *testing.T) {
	_, _, err := preloaded(t, node, true)
	if err == nil || !strings.HasPrefix(err.Error(), "r/") || !strings.Contains(err.Error(), "the engine does not hold it") {
		t.Errorf("error %v", err)
	}
}

func TestHeldIsWhatTheLabelNames(t *testing.T) {
	for _, c := range []struct {
		labels, want map[string]string
	}{
		{nil, nil},
		{map[string]string{NodeLabel: "node:1"}, nil},
		{map[string]string{HeldLabel: "r/a:1,r/b:1"}, nil}, // Of an earlier version.
		{map[string]string{HeldLabel: "r/a:1=sha256:aa,r/b:1=sha256:bb"}, map[string]string{"r/a:1": "sha256:aa", "r/b:1": "sha256:bb"}},
	} {
		if got := Held(c.labels); !maps.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%v: %v, want %v", c.labels, got, c.want)
		}
	}
}
