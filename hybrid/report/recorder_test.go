package report

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// at is the moment s seconds after the start of the run.
func at(s float64) time.Time { return t0().Add(time.Duration(s * float64(time.Second))) }

func newRecorder(now float64) *Recorder {
	r := NewRecorder("run-1", "gateway", t0())
	r.clock = func() time.Time { return at(now) }
	return r
}

func one(r *Recorder, phase, name string, start, end float64, outcome task.Outcome, detail string, err error) {
	r.TaskStarted(task.Event{Phase: phase, Task: name, Time: at(start)})
	r.TaskOutput(phase, name, "a line")
	r.TaskEnded(task.Event{Phase: phase, Task: name, Time: at(end), Outcome: outcome, Detail: detail, Elapsed: at(end).Sub(at(start)), Err: err})
}

func TestRecorderMakesTheTimeline(t *testing.T) {
	r := newRecorder(50)
	r.SetImageSource("registry")
	r.SetStandIns([]string{"ubi-minimal"})
	r.PhaseStarted("build", at(0.0004))
	one(r, "build", "image.a", 0.0006, 10.12345, task.Done, "", nil)
	one(r, "build", "image.b", 0, 1, task.Cached, "key 1234\nmore", nil)
	r.PhaseEnded("build", at(10.2))
	r.PhaseStarted("deploy", at(10.5))
	one(r, "deploy", "deploy.a", 10.5, 20, task.Done, "", nil)
	r.PhaseEnded("deploy", at(20.25))
	r.PhaseStarted("test", at(21))
	one(r, "test", "specs", 21, 40.125, task.Done, "37 passed, 0 failed", nil)
	r.PhaseEnded("test", at(40.25))

	want := Timeline{
		Run: "run-1", Suite: "gateway", Result: Passed, Started: t0(),
		SetupSeconds: 20.25, TestSeconds: 19.25, TotalSeconds: 50, ImageSource: "registry",
		Phases: []Phase{
			{Name: "build", Start: 0, End: 10.2, Tasks: []Task{
				{Name: "image.a", Start: 0.001, End: 10.123, Outcome: task.Done},
				{Name: "image.b", Start: 0, End: 1, Outcome: task.Cached, Detail: "key 1234"},
			}},
			{Name: "deploy", Start: 10.5, End: 20.25, Tasks: []Task{{Name: "deploy.a", Start: 10.5, End: 20, Outcome: task.Done}}},
			{Name: "test", Start: 21, End: 40.25, Tasks: []Task{{Name: "specs", Start: 21, End: 40.125, Outcome: task.Done, Detail: "37 passed, 0 failed"}}},
		},
		StandIns: []string{"ubi-minimal"},
	}
	if got := r.Finish(Passed, nil); !reflect.DeepEqual(got, want) {
		t.Errorf("timeline\n%+v\nwant\n%+v", got, want)
	}
	r.clock = func() time.Time { return at(99) }
	if got := r.Finish(Errored, errors.New("late")); !reflect.DeepEqual(got, want) {
		t.Errorf("a second Finish changed the timeline to\n%+v", got)
	}
}

func TestRecorderOnFailure(t *testing.T) {
	cmd := &command.Error{Args: []string{"docker", "build"}, ExitCode: 1, Tail: "no space left", Err: errors.New("exit status 1")}
	failed := &task.Error{Phase: "build", Task: "image.a", Err: fmt.Errorf("build gateway: %w", cmd)}
	r := newRecorder(12)
	r.PhaseStarted("build", at(1))
	one(r, "build", "image.a", 1, 9, task.Failed, "", failed)
	one(r, "build", "image.b", 1, 10, task.Canceled, "", errors.New("stopped: another task of the phase failed"))
	r.TaskStarted(task.Event{Phase: "build", Task: "image.c", Time: at(2)})
	// An end without a start, in a phase that nobody announced.
	r.TaskEnded(task.Event{Phase: "teardown", Task: "delete", Time: at(11), Elapsed: time.Second, Outcome: task.Done})

	tasks := func(c Task) []Task {
		return []Task{
			{Name: "image.a", Start: 1, End: 9, Outcome: task.Failed, Detail: "build gateway: docker build: exit status 1"},
			{Name: "image.b", Start: 1, End: 10, Outcome: task.Canceled, Detail: "stopped: another task of the phase failed"},
			c,
		}
	}
	teardown := Phase{Name: "teardown", Start: 10, End: 12, Tasks: []Task{{Name: "delete", Start: 10, End: 11, Outcome: task.Done}}}
	want := Timeline{Run: "run-1", Suite: "gateway", Started: t0(), TotalSeconds: 12, Phases: []Phase{
		{Name: "build", Start: 1, End: 12, Tasks: tasks(Task{Name: "image.c", Start: 2, End: 12})}, teardown,
	}}
	if got := r.Snapshot(); !reflect.DeepEqual(got, want) {
		t.Errorf("snapshot\n%+v\nwant\n%+v", got, want)
	}
	want.Result, want.Error = Errored, failed.Error()
	want.Phases[0].Tasks = tasks(Task{Name: "image.c", Start: 2, End: 12, Outcome: task.Canceled})
	if got := r.Finish(Errored, failed); !reflect.DeepEqual(got, want) {
		t.Errorf("timeline\n%+v\nwant\n%+v", got, want)
	}
}

func TestRecorderJoinsAPhaseEnteredAgain(t *testing.T) {
	r := newRecorder(30)
	for _, start := range []float64{1, 10} {
		r.PhaseStarted("cluster", at(start))
		one(r, "cluster", "kind", start, start+5, task.Done, "", nil)
		r.PhaseEnded("cluster", at(start+6))
	}
	r.PhaseEnded("deploy", at(20))
	want := []Phase{
		{Name: "cluster", Start: 1, End: 16, Tasks: []Task{
			{Name: "kind", Start: 1, End: 6, Outcome: task.Done}, {Name: "kind", Start: 10, End: 15, Outcome: task.Done},
		}},
		{Name: "deploy", Start: 20, End: 20, Tasks: []Task{}},
	}
	if got := r.Snapshot(); !reflect.DeepEqual(got.Phases, want) || got.SetupSeconds != 20 {
		t.Errorf("phases\n%+v\nwant\n%+v", got.Phases, want)
	}
}

func TestRecorderWithARealGroup(t *testing.T) {
	r := NewRecorder("run-1", "gateway", time.Now())
	var watchers sync.WaitGroup
	for range 4 {
		watchers.Go(func() {
			for range 50 {
				r.Snapshot()
			}
		})
	}
	for _, phase := range []string{PhaseBuild, PhaseCluster, PhaseLoad, PhaseDeploy, PhaseTest} {
		var tasks []task.Task
		for i := range 8 {
			tasks = append(tasks, task.Task{Name: fmt.Sprintf("%s.%d", phase, i), Run: func(context.Context, *task.Handle) error { return nil }})
		}
		if err := (task.Group{Phase: phase, Observer: r}).Run(t.Context(), tasks...); err != nil {
			t.Fatal(err)
		}
	}
	watchers.Wait()
	line := r.Finish(Passed, nil)
	if err := line.CheckOrder(); err != nil {
		t.Error(err)
	}
	for _, p := range line.Phases {
		if len(p.Tasks) != 8 {
			t.Errorf("phase %s has %d tasks, want 8", p.Name, len(p.Tasks))
		}
	}
}
