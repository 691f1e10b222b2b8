package hybrid

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
)

func TestImagesTellsWhichTheSourcesUse(t *testing.T) {
	root, suite := repository(t)
	plans, err := image.Plans(image.Options{Root: root}, []image.Spec{{Name: "a", Dockerfile: "docker/a.Dockerfile"}})
	if err != nil {
		t.Fatal(err)
	}
	held := plans[0].Ref
	r := anEngineWith(map[string]command.Reply{
		"image ls": {Stdout: held + "\nhybrid.local/a:old\ndebian:12\n<none>:<none>\n"},
		"image inspect": {Stdout: `[{"Id":"sha256:1","RepoTags":["` + held + `"],"Config":{"Labels":{"` + image.EpochLabel + `":"2026-11-23"}}},
			{"Id":"sha256:2","RepoTags":["hybrid.local/a:old"],"Config":{"Labels":{"` + image.EpochLabel + `":"2026-11-20"}}}]`},
	})
	o := options(root, &bytes.Buffer{}, r)
	o.ImageSource = "registry"
	list, err := Images(t.Context(), o, suite)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	current := map[string]bool{}
	for _, x := range list {
		current[x.Ref] = x.Current
	}
	if !current[held] || current["hybrid.local/a:old"] {
		t.Errorf("current are %v, want %s alone", current, held)
	}
	calls := 0
	for _, c := range r.Calls() {
		if strings.Contains(c, " image ") {
			calls++
		}
	}
	if calls != 2 {
		t.Errorf("the engine was asked %d times about images:\n%s", calls, strings.Join(r.Calls(), "\n"))
	}
}

func TestShowImagesOfAnEmptyEngine(t *testing.T) {
	root, suite := repository(t)
	for _, x := range []struct {
		asJSON bool
		want   string
	}{{true, "[]\n"}, {false, "0 images of hybrid.local"}} {
		var out bytes.Buffer
		if err := ShowImages(t.Context(), options(root, &out, anEngineWith(map[string]command.Reply{"image ls": {Stdout: "debian:12\n"}})), x.asJSON, suite); err != nil {
			t.Error(err)
		}
		if !strings.Contains(out.String(), x.want) {
			t.Errorf("it printed %q, want %q", out.String(), x.want)
		}
	}
}
