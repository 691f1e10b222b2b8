package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// errSibling is the cause given to tasks that stop because another one failed.
var errSibling = errors.New("stopped: another task of the phase failed")

// Group runs the tasks of one phase.
type Group struct {
	// Phase names the phase in events and errors.
	Phase string
	// Limit is how many tasks run at once, Light ones not counted; zero or less
	// means no limit.
	Limit int
	// LogDir is where each task's command output goes, as <task>.log; empty
	// keeps none.
	LogDir string
	// Observer is told what happens; nil means nobody.
	Observer Observer
	// Clock gives the time of events; nil means time.Now.
	Clock func() time.Time
}

// Run runs all tasks and waits for every one of them to end. It returns nil,
// or one *Error per failed task joined in the order of names; tasks that were
// merely canceled do not count unless ctx itself ended, whose cause is then
// returned.
func (g Group) Run(ctx context.Context, tasks ...Task) error {
	if err := validate(g.Phase, tasks); err != nil {
		return err
	}
	if g.Clock == nil {
		g.Clock = time.Now
	}
	if g.Observer == nil {
		g.Observer = Observers{}
	}
	g.Observer.PhaseStarted(g.Phase, g.Clock())
	defer func() { g.Observer.PhaseEnded(g.Phase, g.Clock()) }()

	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var slots *semaphore.Weighted
	if g.Limit > 0 {
		slots = semaphore.NewWeighted(int64(g.Limit))
	}
	ready := make(map[string]chan struct{}, len(tasks))
	for _, t := range tasks {
		ready[t.Name] = make(chan struct{})
	}
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		failed []*Error
	)
	for _, t := range tasks {
		wait.Go(func() {
			err := g.one(inner, t, ready, slots)
			if err == nil {
				close(ready[t.Name])
				return
			}
			if inner.Err() != nil && errors.Is(err, context.Cause(inner)) {
				return
			}
			mu.Lock()
			failed = append(failed, err)
			mu.Unlock()
			cancel(errSibling)
		})
	}
	wait.Wait()
	if len(failed) == 0 {
		return context.Cause(ctx)
	}
	sort.Slice(failed, func(i, j int) bool { return failed[i].Task < failed[j].Task })
	errs := make([]error, len(failed))
	for i, f := range failed {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// one waits for the task's needs and a slot, runs it and tells the observer.
func (g Group) one(ctx context.Context, t Task, ready map[string]chan struct{}, slots *semaphore.Weighted) *Error {
	fail := func(err error) *Error { return &Error{Phase: g.Phase, Task: t.Name, Err: err} }
	for _, need := range t.Needs {
		select {
		case <-ready[need]:
		case <-ctx.Done():
			return fail(context.Cause(ctx))
		}
	}
	if slots != nil && !t.Light {
		if slots.Acquire(ctx, 1) != nil {
			return fail(context.Cause(ctx))
		}
		defer slots.Release(1)
	}
	if err := context.Cause(ctx); err != nil {
		return fail(err)
	}
	h, err := g.open(t.Name)
	if err != nil {
		return fail(err)
	}
	start := g.Clock()
	g.Observer.TaskStarted(Event{Phase: g.Phase, Task: t.Name, Time: start})
	err = protect(ctx, t, h)
	end := g.Clock()
	e := Event{Phase: g.Phase, Task: t.Name, Time: end, Elapsed: end.Sub(start)}
	e.Outcome, e.Detail = h.close()
	var failure *Error
	if err != nil {
		failure = &Error{Phase: g.Phase, Task: t.Name, LogFile: h.path, Err: err}
		e.Outcome, e.Err = Failed, failure
		if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			e.Outcome = Canceled
		}
	}
	g.Observer.TaskEnded(e)
	return failure
}

// protect turns a panic of one task into its error: the others still get their
// orderly end and the run its clean-up.
func protect(ctx context.Context, t Task, h *Handle) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return t.Run(ctx, h)
}

func (g Group) open(name string) (*Handle, error) {
	h := &Handle{phase: g.Phase, task: name, observer: g.Observer, outcome: Done}
	if g.LogDir == "" {
		return h, nil
	}
	if err := os.MkdirAll(g.LogDir, 0o755); err != nil {
		return nil, fmt.Errorf("create the log folder: %w", err)
	}
	h.path = filepath.Join(g.LogDir, name+".log")
	f, err := os.OpenFile(h.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the task's log: %w", err)
	}
	h.file = f
	return h, nil
}
