package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
)

// grace is what a run that is told to stop has for evidence and for its cluster.
const grace = time.Minute

// ErrNotFlat says that each run leaves something on the disk.
var ErrNotFlat = errors.New("disk use is not flat")

// Options say what is repeated.
type Options struct {
	// Runs is how many runs are wanted.
	Runs int
	// Args is the command that does one run, Dir where. It is given the variable
	// ARTIFACTS and leaves its timeline in latest/ below that.
	Args []string
	Dir  string
	// Suite is the suite's name, for people.
	Suite string
	// Folder gets the artifacts of all runs, their output and the table; it is made.
	Folder string
	// State is the folder of the checkout that outlives runs; what is in it counts as
	// disk use.
	State string
	// Runner starts the runs, Engine tells its disk use. A nil Engine tells none.
	Runner command.Runner
	Engine *engine.Engine
	// KeepGoing goes on after a run that failed.
	KeepGoing bool
	// Out is where people read.
	Out io.Writer
}

// FailedError says that a run failed.
type FailedError struct {
	// Run counts from 1.
	Run int
	// ExitCode is the run's, -1 when a signal ended it.
	ExitCode int
	// Log has its whole output.
	Log string
	Err error
}

// Error names the run.
func (e *FailedError) Error() string { return fmt.Sprintf("run %d failed: %v", e.Run, e.Err) }

// Unwrap gives the cause.
func (e *FailedError) Unwrap() error { return e.Err }

// Repeat does the runs and returns what they showed, also when one failed or ctx
// ended. After each run the table is written to the folder. Every run that fails is a
// *FailedError; without KeepGoing it is the last.
func Repeat(ctx context.Context, o Options) (Report, error) {
	r := Report{Suite: o.Suite, Wanted: o.Runs}
	if err := os.MkdirAll(o.Folder, 0o755); err != nil {
		return r, fault.With(fmt.Errorf("create the folder of the soak: %w", err), "make "+filepath.Dir(o.Folder)+" writable, or set ARTIFACTS")
	}
	var errs []error
	for n := 1; n <= o.Runs; n++ {
		run, err := o.one(ctx, n, r)
		if ctx.Err() != nil {
			return r, errors.Join(append(errs, context.Cause(ctx))...)
		}
		r.Runs = append(r.Runs, run)
		fmt.Fprintf(o.Out, "run %d of %d: %s, set-up %s, test %s, total %s, engine %s\n", n, o.Runs, run.Result,
			tenths(run.Setup), tenths(run.Test), tenths(run.Total), size(run.Engine))
		if saveErr := r.save(o.Folder); saveErr != nil {
			errs = append(errs, saveErr)
			break
		}
		if err != nil {
			errs = append(errs, err)
			if !o.KeepGoing {
				break
			}
		}
	}
	if growth, ok := r.growth(); ok && growth > flat {
		errs = append(errs, fault.With(fmt.Errorf("%w: it grew by %.1f %% after run %d", ErrNotFlat, growth*100, settled),
			o.Engine.Kind+" system df -v, and mage status, to see what is left; nothing else may build beside a soak"))
	}
	return r, errors.Join(errs...)
}

// one does one run. When ctx ends meanwhile, the table so far is shown at once, since
// the process may not be given the time that the run needs to stop.
func (o Options) one(ctx context.Context, n int, so Report) (Run, error) {
	run := Run{Number: n, Result: report.Errored, Log: fmt.Sprintf("run-%0*d.log", len(fmt.Sprint(o.Runs)), n)}
	log, err := os.Create(filepath.Join(o.Folder, run.Log))
	if err != nil {
		return run, err
	}
	defer func() { _ = log.Close() }() // The run has its own descriptor.
	done := make(chan error, 1)
	go func() {
		_, err := o.Runner.Run(ctx, command.Command{
			Args: o.Args, Dir: o.Dir, Env: []string{"ARTIFACTS=" + o.Folder}, Grace: grace, Stdout: log, Log: log,
		})
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		fmt.Fprintf(o.Out, "\n%s\nstopping run %d, which deletes its cluster even if this command ends before\n", so.Table(), n)
		err = <-done
	}
	if ctx.Err() != nil {
		return run, context.Cause(ctx)
	}
	timelineErr := run.read(o.Folder, so)
	run.measure(ctx, o)
	err = errors.Join(err, timelineErr)
	if err == nil && run.Result != report.Passed {
		err = fmt.Errorf("its timeline says %s", run.Result)
	}
	if err == nil {
		return run, nil
	}
	if run.Result == report.Passed {
		run.Result = report.Errored
	}
	return run, fault.With(&FailedError{Run: n, ExitCode: exitCode(err), Log: log.Name(), Err: err}, "less "+log.Name())
}

func exitCode(err error) int {
	if failed := (*command.Error)(nil); errors.As(err, &failed) {
		return failed.ExitCode
	}
	return -1
}
