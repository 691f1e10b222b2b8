package hybrid

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/report"
)

// raise sends a signal to this process. Each test listens to those that it sends, so
// that none ends the process when Stoppable has given them back.
func raise(t *testing.T, s syscall.Signal) {
	t.Helper()
	signal.Notify(make(chan os.Signal, 1), s)
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}

func TestSignalsEndAStoppableContext(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		text   string
		code   int
	}{
		{syscall.SIGTERM, "the run was stopped: signal: terminated", 143},
		{syscall.SIGHUP, "the run was stopped: signal: hangup", 129},
	} {
		signal.Notify(make(chan os.Signal, 1), c.signal) // It is not ignored, however the tests were started.
		ctx, stop := Stoppable(t.Context())
		// A write that nobody reads ends nothing.
		raise(t, syscall.SIGPIPE)
		raise(t, c.signal)
		<-ctx.Done()
		err := stopped(ctx, errors.New("a step failed"))
		if got, ok := errors.AsType[*StoppedError](err); !ok || got.Error() != c.text {
			t.Errorf("%s: error %v", c.signal, err)
		}
		if got := ExitCode(err); got != c.code {
			t.Errorf("%s: exit code %d, want %d", c.signal, got, c.code)
		}
		if again := stopped(ctx, err); again.Error() != err.Error() {
			t.Errorf("%s: told twice: %v", c.signal, again)
		}
		if got := result(ctx, err); got != report.Canceled {
			t.Errorf("%s: result %s", c.signal, got)
		}
		stop()
	}
}

func TestCtrlCIsTakenFromMage(t *testing.T) {
	mage := make(chan os.Signal, 1)
	signal.Notify(mage, syscall.SIGINT)
	ctx, stop := patient(t.Context())
	inner, stopInner := Stoppable(ctx)
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-inner.Done()
	if err := stopped(inner, errors.New("a step failed")); ExitCode(err) != 130 || err.Error() != "the run was stopped: signal: interrupt\na step failed" {
		t.Errorf("error %v", err)
	}
	select {
	case <-mage:
		t.Error("mage was told too, and ends the process five seconds later")
	default:
	}
	stopInner()
	stop()
}

func TestADeadlineLeavesTimeToCleanUp(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{
		time.Hour: time.Hour - 20*time.Second, 80 * time.Second: time.Minute, 40 * time.Second: 30 * time.Second,
		12 * time.Second: 7 * time.Second, 4 * time.Second: time.Second,
	} {
		deadline, cancel := context.WithTimeout(t.Context(), given)
		ctx, stop := Stoppable(deadline)
		end, ok := ctx.Deadline()
		if left := time.Until(end); !ok || left > want || left < want-time.Second {
			t.Errorf("of %s there are %s for the run, want %s", given, left, want)
		}
		evidence := min(15*time.Second, max(given-5*time.Second, time.Second))
		if got := evidenceBudget(ctx); got > evidence || got < evidence-time.Second {
			t.Errorf("of %s there are %s for evidence, want %s", given, got, evidence)
		}
		if again, _ := Stoppable(ctx); again != ctx {
			t.Error("the time to clean up was taken twice")
		}
		stop()
		cancel()
	}
	deadline, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
	defer cancel()
	ctx, stop := Stoppable(deadline)
	defer stop()
	if got := evidenceBudget(t.Context()); got != 15*time.Second {
		t.Errorf("without a deadline there are %s for evidence", got)
	}
	<-ctx.Done()
	if err := deadline.Err(); err != nil {
		t.Error("there was no time to clean up")
	}
	err := stopped(ctx, ctx.Err())
	if got := ExitCode(err); got != 124 || !errors.Is(err, ErrDeadline) {
		t.Errorf("exit code %d, %v", got, err)
	}
}

func TestExitCodes(t *testing.T) {
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{fmt.Errorf("test: %w", ErrSpecs), 1},
		{errors.New("no engine"), 3},
		{stopped(interrupted, errors.New("x")), 130},
		// Specs that failed because the run was stopped did not fail.
		{stopped(interrupted, ErrSpecs), 130},
		// A step that was cancelled because another failed is not a run that was stopped.
		{context.Canceled, 3},
	} {
		if got := ExitCode(c.err); got != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.code)
		}
	}
	if err := stopped(interrupted, nil); err != nil {
		t.Errorf("a run that was done was stopped: %v", err)
	}
}
