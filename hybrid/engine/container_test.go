package engine

import (
	"errors"
	"slices"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
)

func docker(replies map[string]command.Reply) (*Engine, *command.Recorder) {
	r := &command.Recorder{Replies: replies}
	return &Engine{Kind: Docker, CLI: "docker", Runner: r}, r
}

func TestContainersByLabel(t *testing.T) {
	e, r := docker(map[string]command.Reply{
		"docker ps": {Stdout: "2\n1\n"},
		"docker container inspect": {Stdout: `[{"Id":"2","Name":"/b","State":{"Status":"exited"},"SizeRw":7},
			{"Id":"1","Name":"/a","Config":{"Labels":{"l":"v"}},"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"41000"}]}},
			"Mounts":[{"Type":"volume","Name":"v","Source":"/x","Destination":"/var"}]}]`},
	})
	for _, list := range []func() ([]Container, error){
		func() ([]Container, error) { return e.Containers(t.Context(), "l=v") },
		func() ([]Container, error) { return e.SizedContainers(t.Context(), "l") },
		func() ([]Container, error) { return e.MarkedContainers(t.Context(), "m") },
	} {
		got, err := list()
		if err != nil || len(got) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		a, b := got[0], got[1]
		if a.Name != "a" || a.ID != "1" || a.Config.Labels["l"] != "v" || a.HostConfig.PortBindings["80/tcp"][0].HostPort != "41000" || a.SizeRw != nil {
			t.Errorf("%+v", a)
		}
		if len(a.Mounts) != 1 || a.Mounts[0] != (Mount{Type: "volume", Name: "v", Source: "/x", Destination: "/var"}) {
			t.Errorf("mounts %+v", a.Mounts)
		}
		if b.Name != "b" || b.State.Status != "exited" || *b.SizeRw != 7 {
			t.Errorf("%+v", b)
		}
	}
	want := []string{
		"docker ps --all --quiet --no-trunc --filter label=l=v", "docker container inspect 2 1",
		"docker ps --all --quiet --no-trunc --filter label=l", "docker container inspect --size 2 1",
		"docker ps --all --quiet --no-trunc --filter name=m", "docker container inspect 2 1",
	}
	if !slices.Equal(r.Calls(), want) {
		t.Errorf("calls\n%q\nwant\n%q", r.Calls(), want)
	}
}

func TestNoContainers(t *testing.T) {
	e, r := docker(map[string]command.Reply{"docker ps": {}})
	if got, err := e.Containers(t.Context(), "l"); got != nil || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if err := e.RemoveContainers(t.Context()); err != nil || len(r.Calls()) != 1 {
		t.Errorf("%v, calls %q", err, r.Calls())
	}
}

func TestRemoveContainers(t *testing.T) {
	failed := errors.New("exit status 1")
	for name, c := range map[string]struct {
		rm    command.Reply
		left  string
		calls int
		fails bool
	}{
		"removed":      {command.Reply{}, "", 1, false},
		"gone already": {command.Reply{Err: failed}, "3\n", 2, false},
		"still there":  {command.Reply{Err: failed}, "3\n2\n", 2, true},
	} {
		e, r := docker(map[string]command.Reply{"docker rm --force --volumes 1 2": c.rm, "docker ps --all --quiet --no-trunc": {Stdout: c.left}})
		err := e.RemoveContainers(t.Context(), "1", "2")
		if (err != nil) != c.fails || (c.fails && !errors.Is(err, failed)) {
			t.Errorf("%s: error %v", name, err)
		}
		if len(r.Calls()) != c.calls {
			t.Errorf("%s: calls %q", name, r.Calls())
		}
	}
}
