package task

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Outcome is how a task ended.
type Outcome string

// The outcomes of a task. A canceled task was stopped, or never started,
// because a sibling failed or the run was interrupted.
const (
	Done     Outcome = "done"
	Cached   Outcome = "cached"
	Failed   Outcome = "failed"
	Canceled Outcome = "canceled"
)

// Task is one named unit of work.
type Task struct {
	// Name is unique in its group, such as "image.gateway".
	Name string
	// Needs names the tasks of the same group that must have succeeded before
	// this one starts. Empty means at once.
	Needs []string
	// Light tasks only wait (for a pod, for a lock) and do not count against
	// the group's limit.
	Light bool
	// Run does the work. It must return soon after ctx ends.
	Run func(ctx context.Context, h *Handle) error
}

// Event tells an Observer what happened to a task.
type Event struct {
	Phase, Task string
	// Time is when it happened.
	Time time.Time
	// Outcome is set when the task ended, else empty.
	Outcome Outcome
	// Detail is the task's own short remark, or its latest status line.
	Detail string
	// Elapsed is the time since the task started; set when it ended.
	Elapsed time.Duration
	// Err is the failure, set when Outcome is Failed.
	Err error
}

// Observer is told about phases and tasks as they happen. Calls may come from
// several goroutines at once.
type Observer interface {
	PhaseStarted(phase string, at time.Time)
	PhaseEnded(phase string, at time.Time)
	TaskStarted(e Event)
	// TaskOutput is a line of output of a task's commands.
	TaskOutput(phase, task, line string)
	TaskEnded(e Event)
}

// Error is a failed task.
type Error struct {
	Phase, Task string
	// LogFile has the whole output of the task's commands; empty when the group
	// keeps no logs.
	LogFile string
	Err     error
}

// Error names phase and task before the cause.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %v", e.Phase, e.Task, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Observers fans every event out to several observers, in order.
type Observers []Observer

// PhaseStarted implements Observer.
func (o Observers) PhaseStarted(phase string, at time.Time) {
	for _, x := range o {
		x.PhaseStarted(phase, at)
	}
}

// PhaseEnded implements Observer.
func (o Observers) PhaseEnded(phase string, at time.Time) {
	for _, x := range o {
		x.PhaseEnded(phase, at)
	}
}

// TaskStarted implements Observer.
func (o Observers) TaskStarted(e Event) {
	for _, x := range o {
		x.TaskStarted(e)
	}
}

// TaskOutput implements Observer.
func (o Observers) TaskOutput(phase, task, line string) {
	for _, x := range o {
		x.TaskOutput(phase, task, line)
	}
}

// TaskEnded implements Observer.
func (o Observers) TaskEnded(e Event) {
	for _, x := range o {
		x.TaskEnded(e)
	}
}

// validate checks names, needs and cycles before any work starts.
func validate(phase string, tasks []Task) error {
	byName := make(map[string]Task, len(tasks))
	var errs []error
	for _, t := range tasks {
		if _, dup := byName[t.Name]; dup || t.Name == "" {
			errs = append(errs, fmt.Errorf("%s: task name %q is empty or used twice", phase, t.Name))
		}
		byName[t.Name] = t
	}
	for _, t := range tasks {
		for _, need := range t.Needs {
			if _, ok := byName[need]; !ok {
				errs = append(errs, fmt.Errorf("%s: task %q needs %q, which is not in this phase", phase, t.Name, need))
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	const visiting, visited = 1, 2
	state := map[string]int{}
	var visit func(name string) error
	visit = func(name string) error {
		switch state[name] {
		case visited:
			return nil
		case visiting:
			return fmt.Errorf("%s: task %q needs itself", phase, name)
		}
		state[name] = visiting
		for _, need := range byName[name].Needs {
			if err := visit(need); err != nil {
				return err
			}
		}
		state[name] = visited
		return nil
	}
	for _, t := range tasks {
		if err := visit(t.Name); err != nil {
			return err
		}
	}
	return nil
}
