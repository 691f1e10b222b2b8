package engine

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
)

func TestBakeCommitsWhatTheShellLeaves(t *testing.T) {
	failed := errors.New("no space left on device")
	run := "docker run --name NAME --privileged --network none --interactive --mount type=volume,destination=/store --entrypoint /bin/sh from:1 -c true"
	commit := "docker commit --change 'CMD []' NAME to:1"
	remove := "docker rm --force --volumes NAME"
	for _, c := range []struct {
		name   string
		broken string
		calls  []string
	}{
		{"all goes well", "", []string{run, commit, remove}},
		{"the shell fails", "docker run", []string{run, remove}},
		{"the commit fails", "docker commit", []string{run, commit, remove}},
		{"the container stays", "docker rm", []string{run, commit, remove}},
	} {
		r := &command.Recorder{Replies: map[string]command.Reply{"docker run": {}, "docker commit": {}, "docker rm": {}}}
		if c.broken != "" {
			r.Replies[c.broken] = command.Reply{Err: failed}
		}
		e := &Engine{Kind: Docker, CLI: "docker", Runner: r, Mark: "mark"}
		err := e.Bake(t.Context(), BakeOptions{
			From: "from:1", To: "to:1", Shell: []string{"-c", "true"}, Stdin: strings.NewReader("input"), Changes: []string{"CMD []"}, Purpose: "test",
		})
		if (c.broken == "" && err != nil) || (c.broken != "" && !errors.Is(err, failed)) {
			t.Errorf("%s: error %v", c.name, err)
		}
		var calls []string
		for _, call := range r.Calls() {
			calls = append(calls, regexp.MustCompile(`hybrid-node-test-mark[a-z0-9]{8}`).ReplaceAllString(call, "NAME"))
		}
		if !slices.Equal(calls, c.calls) {
			t.Errorf("%s: calls\n%s\nwant\n%s", c.name, strings.Join(calls, "\n"), strings.Join(c.calls, "\n"))
		}
		if r.Stdin()[0] != "input" {
			t.Errorf("%s: the shell was given %q", c.name, r.Stdin()[0])
		}
	}
}
