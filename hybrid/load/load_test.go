package load

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

const (
	ref  = "hybrid.local/a:1"
	held = `{"status":{"id":"sha256:aa"}}`
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
	return task.Group{Phase: "load"}.Run(t.Context(), Tasks(o)...)
}

func TestNothingIsSentWhenEveryNodeHoldsTheDigest(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect":                  {Stdout: inspected("2026-11-23")},
		"docker exec n1 ctr":                    {Stdout: ref + "\n"},
		"docker exec n2 ctr":                    {Stdout: ref + "\n"},
		"docker exec n1 crictl inspecti " + ref: {Stdout: held},
		"docker exec n2 crictl inspecti " + ref: {Stdout: held},
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

func TestOneSaveFeedsEveryNode(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect": {Stdout: inspected("2026-11-23")},
		"docker exec n1 ctr":   {},
		"docker exec n2 ctr":   {},
		"docker save " + ref:   {Stdout: "ARCHIVE"},
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
		if strings.Contains(call, "images import") && stdin[i] == "ARCHIVE" {
			fed++
		}
	}
	if saves != 1 || fed != 2 {
		t.Errorf("saved %d times and fed %d nodes, want 1 and 2", saves, fed)
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
		"docker save " + ref:           {Stdout: "ARCHIVE"},
		"docker exec --interactive n1": {Err: errors.New("no space left on device")},
		"docker exec --interactive n2": {},
	}}
	err := run(t, r)
	if err == nil || !strings.Contains(err.Error(), "import on node n1") || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("error %v", err)
	}
}
