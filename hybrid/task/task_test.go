package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// events records what an observer is told.
type events struct {
	mu    sync.Mutex
	lines []string
}

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, fmt.Sprintf(format, args...))
}
func (e *events) PhaseStarted(phase string, _ time.Time) { e.add("phase %s", phase) }
func (e *events) PhaseEnded(phase string, _ time.Time)   { e.add("end of %s", phase) }
func (e *events) TaskStarted(x Event)                    { e.add("start %s", x.Task) }
func (e *events) TaskOutput(_, task, line string)        { e.add("%s says %s", task, line) }
func (e *events) TaskEnded(x Event)                      { e.add("%s %s %s", x.Outcome, x.Task, x.Detail) }

func TestNeedsGiveTheOrder(t *testing.T) {
	seen := &events{}
	g := Group{Phase: "p", Observer: Observers{seen}, LogDir: t.TempDir()}
	err := g.Run(t.Context(),
		Task{Name: "b", Needs: []string{"a"}, Run: func(_ context.Context, h *Handle) error {
			fmt.Fprintf(h, "half")
			fmt.Fprintf(h, " line\n")
			h.Detail("made %d", 2)
			return nil
		}},
		Task{Name: "a", Run: func(_ context.Context, h *Handle) error { h.Cached("there"); return nil }},
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"phase p", "start a", "cached a there", "start b", "b says half line", "done b made 2", "end of p"}
	if !reflect.DeepEqual(seen.lines, want) {
		t.Errorf("events\n%q\nwant\n%q", seen.lines, want)
	}
	if b, err := os.ReadFile(filepath.Join(g.LogDir, "b.log")); err != nil || string(b) != "half line\n" {
		t.Errorf("log %q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(g.LogDir, "a.log")); !os.IsNotExist(err) {
		t.Errorf("the empty log of a stayed: %v", err)
	}
}

func TestFirstFailureCancelsSiblingsAndIsNamed(t *testing.T) {
	cause := errors.New("no disk")
	started := make(chan struct{})
	err := Group{Phase: "build"}.Run(t.Context(),
		Task{Name: "slow", Run: func(ctx context.Context, _ *Handle) error {
			close(started)
			<-ctx.Done()
			return context.Cause(ctx)
		}},
		Task{Name: "bad", Run: func(context.Context, *Handle) error { <-started; return cause }},
		Task{Name: "never", Needs: []string{"bad"}, Run: func(context.Context, *Handle) error { t.Error("ran after its need failed"); return nil }},
	)
	if !errors.Is(err, cause) || err.Error() != "build: bad: no disk" {
		t.Errorf("error %v", err)
	}
}

func TestAllFailuresAreReportedInOrder(t *testing.T) {
	gate := make(chan struct{})
	fail := func(name string) Task {
		return Task{Name: name, Run: func(context.Context, *Handle) error { <-gate; return errors.New(name + " broke") }}
	}
	started := sync.WaitGroup{}
	started.Add(2)
	a, b := fail("a"), fail("b")
	for _, x := range []*Task{&a, &b} {
		run := x.Run
		x.Run = func(ctx context.Context, h *Handle) error { started.Done(); return run(ctx, h) }
	}
	go func() { started.Wait(); close(gate) }()
	err := Group{Phase: "p"}.Run(t.Context(), b, a)
	if err == nil || err.Error() != "p: a: a broke\np: b: b broke" {
		t.Errorf("error %v", err)
	}
}

func TestLimitCountsOnlyHeavyTasks(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	heavy := func(name string) Task {
		return Task{Name: name, Run: func(context.Context, *Handle) error {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			defer func() { mu.Lock(); running--; mu.Unlock() }()
			return nil
		}}
	}
	release := make(chan struct{})
	light := Task{Name: "light", Light: true, Run: func(context.Context, *Handle) error { <-release; return nil }}
	last := heavy("z")
	run := last.Run
	last.Needs = []string{"a", "b", "c"}
	last.Run = func(ctx context.Context, h *Handle) error { close(release); return run(ctx, h) }
	if err := (Group{Phase: "p", Limit: 1}).Run(t.Context(), light, heavy("a"), heavy("b"), heavy("c"), last); err != nil {
		t.Fatal(err)
	}
	if most != 1 {
		t.Errorf("%d heavy tasks ran at once, limit 1", most)
	}
}

func TestCanceledGroupReturnsTheCause(t *testing.T) {
	cause := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	seen := &events{}
	err := Group{Phase: "p", Observer: seen}.Run(ctx, Task{Name: "a", Run: func(ctx context.Context, _ *Handle) error {
		cancel(cause)
		<-ctx.Done()
		return context.Cause(ctx)
	}})
	if !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	if !slices.Contains(seen.lines, "canceled a ") {
		t.Errorf("events %q", seen.lines)
	}
}

func TestPanicBecomesTheTasksError(t *testing.T) {
	err := Group{Phase: "p"}.Run(t.Context(), Task{Name: "a", Run: func(context.Context, *Handle) error { panic("ouch") }})
	if err == nil || err.Error() != "p: a: panic: ouch" {
		t.Errorf("error %v", err)
	}
}

func TestMistakesAreFoundBeforeAnyWork(t *testing.T) {
	nop := func(context.Context, *Handle) error { t.Error("ran"); return nil }
	for want, tasks := range map[string][]Task{
		`task name "a" is empty or used twice`: {{Name: "a", Run: nop}, {Name: "a", Run: nop}},
		`task "a" needs "x", which is not`:     {{Name: "a", Needs: []string{"x"}, Run: nop}},
		"needs itself":                         {{Name: "a", Needs: []string{"b"}, Run: nop}, {Name: "b", Needs: []string{"a"}, Run: nop}},
	} {
		err := Group{Phase: "p"}.Run(t.Context(), tasks...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
