package engine

import (
	"os"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
)

func TestContainersAreReachedAtTheirAddressesWhereTheEngineRunsHere(t *testing.T) {
	here, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]bool{
		here + " name=seccomp,profile=default\n": true,
		here + "\n":                              true,
		here + " name=seccomp,profile=default name=rootless\n": false,
		"docker-desktop name=seccomp,profile=unconfined\n":     false,
		"\n": false,
	} {
		e, r := docker(map[string]command.Reply{"docker info": {Stdout: answer}})
		if got, err := e.Routed(t.Context()); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", answer, got, err, want)
		}
		if calls := strings.Join(r.Calls(), "; "); calls != "docker info --format '{{.Name}}{{range .SecurityOptions}} {{.}}{{end}}'" {
			t.Errorf("calls %s", calls)
		}
	}
	e, r := docker(nil)
	e.Kind = Podman
	if got, err := e.Routed(t.Context()); got || err != nil || len(r.Calls()) != 0 {
		t.Errorf("podman: %v, %v, calls %q", got, err, r.Calls())
	}
}
