package engine

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

func only(paths map[string][]string) func(string) []string {
	return func(name string) []string { return paths[name] }
}

func TestDetectTakesTheClientThatCanBuild(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"/usr/local/bin/docker version --format '{{.Client.Version}} {{.Server.Version}}'": {Stdout: "28.2.2 20.10.24\n"},
		"/usr/local/bin/docker buildx version":                                             {Err: errors.New("no buildx")},
		"/usr/bin/docker version --format '{{.Client.Version}} {{.Server.Version}}'":       {Stdout: "20.10.25 20.10.24\n"},
	}}
	e, err := detect(t.Context(), r, "", only(map[string][]string{Docker: {"/usr/local/bin/docker", "/usr/bin/docker"}}))
	if err != nil {
		t.Fatal(err)
	}
	if e.CLI != "/usr/bin/docker" || e.Version != "20.10.24" || e.Kind != Docker {
		t.Errorf("detected %+v", e)
	}
}

func TestDetectFallsBackToPodman(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"/usr/bin/docker version": {Err: errors.New("Cannot connect to the Docker daemon")},
		"/usr/bin/podman version": {Stdout: "5.4.0\n"},
		"/usr/bin/podman info --format '{{.Host.Security.Rootless}} {{.Host.CgroupsVersion}}'": {Stdout: "false v1\n"},
	}}
	e, err := detect(t.Context(), r, "", only(map[string][]string{Docker: {"/usr/bin/docker"}, Podman: {"/usr/bin/podman"}}))
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind != Podman || e.Version != "5.4.0" {
		t.Errorf("detected %+v", e)
	}
}

// TestDetectSaysWhyNot has engines that answer and cannot serve.
func TestDetectSaysWhyNot(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"podman version --format '{{.Client.Version}}'":                               {Stdout: "4.3.1\n"},
		"podman info --format '{{.Host.Security.Rootless}} {{.Host.CgroupsVersion}}'": {Stdout: "true v1\n"},
	}}
	clients := only(map[string][]string{Podman: {"podman"}, nerdctl: {"nerdctl"}})
	_, err := detect(t.Context(), r, "", clients)
	want := "no container engine is reachable\ndocker: not installed\npodman: without root it needs cgroup v2, and this machine has v1\n" + nerdctlLacks
	if !errors.Is(err, ErrNone) || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
	_, err = detect(t.Context(), r, nerdctl, clients)
	want = `CONTAINER_ENGINE="nerdctl": ` + nerdctlLacks + "; want one of docker, podman"
	if err == nil || errors.Is(err, ErrNone) || err.Error() != want || fault.Next(err) != "set CONTAINER_ENGINE to docker or podman, or unset it" {
		t.Errorf("error %v, next %s", err, fault.Next(err))
	}
	for kind, want := range map[string]bool{"": true, Docker: true, Podman: true, nerdctl: false, "lxc": false} {
		if err := CheckKind(kind); (err == nil) != want {
			t.Errorf("%q: %v", kind, err)
		}
	}
}

func TestDetectNamesTheNextCommand(t *testing.T) {
	_, err := detect(t.Context(), &command.Recorder{}, "", only(nil))
	if !errors.Is(err, ErrNone) {
		t.Fatalf("error %v, want ErrNone", err)
	}
	if next := fault.Next(err); next != "go run magefile.go setup" {
		t.Errorf("next command %q", next)
	}
	if _, err := detect(t.Context(), &command.Recorder{}, "lxc", only(nil)); err == nil || fault.Next(err) == "" {
		t.Errorf("unknown engine: error %v", err)
	}
}

func TestMajorVersion(t *testing.T) {
	for text, want := range map[string]int{"20.10.24+dfsg1\n": 20, "28.2.2": 28, "v20.1": -1, "-1.0": -1, "20": -1, "": -1, "Cannot connect. Is": -1, "99999999999.1": -1} {
		if got, ok := majorVersion(text); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %t", text, got, ok)
		}
	}
}

// FuzzMajorVersion looks for a text that is taken for a version and does not begin with one.
func FuzzMajorVersion(f *testing.F) {
	for _, seed := range []string{"20.10.24+dfsg1", "-1.2", "+3.4", "0x1.2", " 5.6", "7", "1e3."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := majorVersion(text)
		if digits := strings.TrimLeft(text, "0"); ok && !strings.HasPrefix(digits, strings.TrimPrefix(strconv.Itoa(got)+".", "0")) {
			t.Errorf("%q: %d", text, got)
		}
	})
}

func TestBuildArguments(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{"docker build": {}}}
	e := &Engine{Kind: Docker, CLI: "docker", Runner: r}
	err := e.Build(t.Context(), BuildOptions{
		Dockerfile: "docker/a.Dockerfile", Context: ".", Tag: "x/a:1", Network: "host", Platform: "linux/amd64",
		Args: map[string]string{"B": "2", "A": "1"}, Labels: map[string]string{"l": "v"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"docker build --file docker/a.Dockerfile --tag x/a:1 --progress plain --network host --platform linux/amd64 " +
		"--build-arg A=1 --build-arg B=2 --label l=v ."}
	if !reflect.DeepEqual(r.Calls(), want) {
		t.Errorf("calls\n%q\nwant\n%q", r.Calls(), want)
	}
}

func TestInspectKeysByReference(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect": {Stdout: `[{"Id":"sha256:aa","RepoTags":["x/a:1"],"Size":7,"Config":{"Labels":{"l":"v"}}}]`},
	}}
	e := &Engine{Kind: Docker, CLI: "docker", Runner: r}
	got, err := e.Inspect(t.Context(), "x/a:1", "x/b:1")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got["x/a:1"].ID != "sha256:aa" || got["x/a:1"].Config.Labels["l"] != "v" {
		t.Errorf("got %+v", got)
	}
}
