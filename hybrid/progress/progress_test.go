package progress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func started(phase, name string) task.Event { return task.Event{Phase: phase, Task: name} }

func ended(phase, name string, d time.Duration, o task.Outcome, detail string, err error) task.Event {
	return task.Event{Phase: phase, Task: name, Elapsed: d, Outcome: o, Detail: detail, Err: err}
}

func expect(t *testing.T, got string, lines ...string) {
	t.Helper()
	if want := strings.Join(lines, "\n") + "\n"; got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestPlainLines(t *testing.T) {
	var w buffer
	p := New(&w, Options{})
	cmd := &command.Error{Args: []string{"docker", "build", "."}, ExitCode: 1, Tail: "no space left", Err: errors.New("exit status 1")}
	p.PhaseStarted("build", time.Time{})
	for _, name := range []string{"image.gateway", "image.redis", "image.postgresql", "image.datastorage"} {
		p.TaskStarted(started("build", name))
	}
	p.TaskOutput("build", "image.gateway", "not shown")
	p.TaskEnded(ended("build", "image.gateway", 12300*time.Millisecond, task.Cached, "key 1234abcd", nil))
	p.TaskEnded(ended("build", "image.redis", 130*time.Second, task.Done, "", nil))
	p.TaskEnded(ended("build", "image.postgresql", time.Second, task.Failed, "an output line",
		&task.Error{Phase: "build", Task: "image.postgresql", Err: fmt.Errorf("build: %w", cmd)}))
	p.TaskEnded(ended("build", "image.datastorage", time.Second, task.Canceled, "", nil))
	p.PhaseEnded("build", time.Time{})
	p.PhaseStarted("teardown", time.Time{})
	p.TaskEnded(ended("teardown", "delete", time.Second, task.Done, "\x1b[31mgone\x1b[0m\nreally", nil))
	p.TaskEnded(ended("teardown", "lease", 0, task.Failed, "", nil))
	p.Print("two\nlines\n")
	p.Close()
	p.Close()
	p.TaskEnded(ended("teardown", "late", 0, task.Done, "", nil))
	expect(t, w.String(),
		"==> build",
		"  ✓ image.gateway                 12.3s  cached: key 1234abcd",
		"  ✓ image.redis                   2m10s  ok",
		"  ✗ image.postgresql               1.0s  FAILED: build: docker build .: exit status 1",
		"  - image.datastorage              1.0s  canceled",
		"==> teardown",
		"  ✓ delete                         1.0s  ok: gone",
		"  ✗ lease                          0.0s  FAILED",
		"two",
		"lines",
		"  ✓ late                           0.0s  ok",
	)
}

func TestGitHubFoldsPhases(t *testing.T) {
	var w buffer
	p := New(&w, Options{Getenv: env(map[string]string{"GITHUB_ACTIONS": "true", "CI": "true"})})
	for _, phase := range []string{"build", "cluster"} {
		p.PhaseStarted(phase, time.Time{})
		p.TaskEnded(ended(phase, "a", time.Second, task.Done, "", nil))
		p.TaskEnded(ended(phase, "b", time.Second, task.Done, "", nil))
	}
	p.Close()
	p.Close()
	expect(t, w.String(),
		"::group::build",
		"  ✓ a                              1.0s  ok",
		"  ✓ b                              1.0s  ok",
		"::endgroup::",
		"::group::cluster",
		"  ✓ a                              1.0s  ok",
		"  ✓ b                              1.0s  ok",
		"::endgroup::",
	)
}

func TestVerboseStreamsOutput(t *testing.T) {
	var w buffer
	p := New(&w, Options{Verbose: true})
	p.PhaseStarted("build", time.Time{})
	p.TaskStarted(started("build", "image.a"))
	p.TaskOutput("build", "image.a", "\x1b[1m#5 RUN\x1b[0m go build\r")
	p.TaskOutput("build", "image.a", "\x1b[2K")
	p.Close()
	expect(t, w.String(), "==> build", "[image.a] #5 RUN go build")
}

func TestLongTasksShowLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w buffer
		p := New(&w, Options{})
		p.PhaseStarted("images", time.Time{})
		p.TaskStarted(started("images", "node.kubernetes"))
		p.TaskStarted(started("images", "base.ubi"))
		time.Sleep(9 * time.Second)
		p.TaskEnded(ended("images", "base.ubi", 9*time.Second, task.Done, "", nil))
		time.Sleep(2 * time.Second)
		p.TaskOutput("images", "node.kubernetes", "1423 packages compiled")
		p.PhaseStarted("build", time.Time{})
		time.Sleep(60 * time.Second)
		p.TaskEnded(ended("images", "node.kubernetes", 71*time.Second, task.Done, "", nil))
		time.Sleep(time.Hour)
		p.TaskStarted(started("build", "image.a"))
		p.Close()
		p.TaskStarted(started("build", "image.b"))
		time.Sleep(time.Hour)
		expect(t, w.String(),
			"==> images",
			"  ✓ base.ubi                       9.0s  ok",
			"  … node.kubernetes               10.0s  still running",
			"==> build",
			"==> images",
			"  … node.kubernetes               40.0s  still running: 1423 packages compiled",
			"  … node.kubernetes               1m10s  still running: 1423 packages compiled",
			"  ✓ node.kubernetes               1m11s  ok",
		)
	})
}

func TestPlainLinesOfARealGroupStayWhole(t *testing.T) {
	var w buffer
	p := New(&w, Options{Verbose: true})
	var tasks []task.Task
	for i := range 50 {
		tasks = append(tasks, task.Task{Name: fmt.Sprintf("t%02d", i), Run: func(_ context.Context, h *task.Handle) error {
			h.Status("works")
			return nil
		}})
	}
	if err := (task.Group{Phase: "build", Observer: p}).Run(t.Context(), tasks...); err != nil {
		t.Fatal(err)
	}
	p.Close()
	lines := strings.Split(strings.TrimSuffix(w.String(), "\n"), "\n")
	if len(lines) != 101 {
		t.Fatalf("%d lines, want a heading, 50 of output and 50 ends", len(lines))
	}
	for _, l := range lines[1:] {
		if !strings.HasSuffix(l, "] works") && !strings.HasSuffix(l, "  ok") {
			t.Errorf("torn line %q", l)
		}
	}
}

func TestDecideOnFiles(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	if m := decide(null, env(nil)); m != (mode{}) {
		t.Errorf("mode of %s is %+v, want plain", os.DevNull, m)
	}
	if m := decide(&bytes.Buffer{}, env(nil)); m != (mode{}) {
		t.Errorf("mode of a buffer is %+v, want plain", m)
	}
}

func TestColorsAreTheirOwn(t *testing.T) {
	on, off := newPalette(true), newPalette(false)
	if got := on.bad.Sprint("x"); got != "\x1b[31;1mx\x1b[0;22m" {
		t.Errorf("with colours %q", got)
	}
	if got := off.bad.Sprint("x"); got != "x" {
		t.Errorf("without colours %q", got)
	}
}
