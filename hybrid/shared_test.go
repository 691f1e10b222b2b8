package hybrid

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	containers "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/registry"
)

// aRegistry is one of the test's own.
func aRegistry(t *testing.T) registry.Registry {
	t.Helper()
	s := httptest.NewServer(containers.New(containers.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	r, err := registry.Parse(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// building is what Build prints and asks of an engine that answers so.
func building(t *testing.T, root string, suite Suite, shared registry.Registry, replies map[string]command.Reply) (printed, asked string) {
	t.Helper()
	var out bytes.Buffer
	r := anEngineWith(replies)
	o := options(root, &out, r)
	o.ImageSource, o.NoPreload, o.Registry = "registry", true, shared
	p, err := Open(t.Context(), suite, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if err := p.Close(t.Context(), p.Build(t.Context())); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	return out.String(), strings.Join(r.Calls(), "\n")
}

func TestBuildTakesFromTheRegistryWhatItHas(t *testing.T) {
	root, suite := repository(t)
	plans, err := image.Plans(image.Options{Root: root}, []image.Spec{{Name: "a", Dockerfile: "docker/a.Dockerfile"}})
	if err != nil {
		t.Fatal(err)
	}
	ref := plans[0].Ref
	shared := aRegistry(t)
	nothing := map[string]command.Reply{"image inspect " + ref: {Stdout: "[]"}}
	printed, asked := building(t, root, suite, shared, nothing)
	if !strings.Contains(printed, "0 images, 0 MB; 1 were missing") || strings.Contains(asked, " load") || !strings.Contains(asked, " build --file ") {
		t.Errorf("an empty registry:\n%s\n%s", printed, asked)
	}
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	at, err := name.NewTag(shared.String() + strings.TrimPrefix(ref, image.Registry))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(at, img); err != nil {
		t.Fatal(err)
	}
	// The recorder cannot tell what comes after the load: that the engine holds another
	// image is a failure of the registry, which is no failure of the run.
	printed, asked = building(t, root, suite, shared, nothing)
	if !strings.Contains(printed, "what is missing is made here: pull from "+shared.String()) || !strings.Contains(asked, " load\n") {
		t.Errorf("a registry with the image:\n%s\n%s", printed, asked)
	}
	printed, asked = building(t, root, suite, shared, map[string]command.Reply{
		"image inspect " + ref: {Stdout: `[{"Id":"sha256:1","RepoTags":["` + ref + `"]}]`},
	})
	if !strings.Contains(printed, "the engine holds 1 images") || strings.Contains(asked, " load") || strings.Contains(asked, " build --file ") {
		t.Errorf("an engine with the image:\n%s\n%s", printed, asked)
	}
}

func TestARegistryThatDoesNotAnswerStopsNoRun(t *testing.T) {
	root, suite := repository(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	shared, err := registry.Parse(strings.TrimPrefix(gone.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	printed, asked := building(t, root, suite, shared, map[string]command.Reply{"image inspect hybrid.local/": {Stdout: "[]"}})
	if !strings.Contains(printed, "what is missing is made here: ask "+shared.String()) || !strings.Contains(asked, " build --file ") {
		t.Errorf("%s\n%s", printed, asked)
	}
}

func TestRefreshWantsARegistry(t *testing.T) {
	root, suite := repository(t)
	var out bytes.Buffer
	err := Refresh(t.Context(), options(root, &out, anEngine()), suite)
	if err == nil || !strings.HasPrefix(fault.Next(err), "REGISTRY=") {
		t.Errorf("error %v, next %q", err, fault.Next(err))
	}
}

func TestRegistryIsReadFromTheEnvironment(t *testing.T) {
	for value, want := range map[string]string{"": "", "localhost:5000/e2e": "localhost:5000/e2e"} {
		o, err := OptionsFrom("/", func(name string) string { return map[string]string{"REGISTRY": value}[name] }, io.Discard)
		if err != nil || o.Registry.String() != want {
			t.Errorf("%q gives %q, %v", value, o.Registry, err)
		}
	}
	if _, err := OptionsFrom("/", func(name string) string { return map[string]string{"REGISTRY": "https://x"}[name] }, io.Discard); err == nil {
		t.Error("a URL passed")
	}
}
