package hybrid

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// deadlineGrace is the time before the deadline of a command (mage -t) at which its
// work ends: evidence and the removal of what the run made need it. A command that was
// given less than four times as much ends its work after three quarters of its time, but
// leastGrace before its end: a cluster takes two to four seconds to go. leastEvidence
// of that is for what can be told at once.
const (
	deadlineGrace = evidenceTimeout + 5*time.Second
	leastGrace    = 5 * time.Second
	leastEvidence = time.Second
)

// Exit codes of a command. Those of stopped ones are what shells give to a signal, 128
// and its number, and what timeout(1) gives.
const (
	exitSpecs       = 1
	exitEnvironment = 3
	exitDeadline    = 124
	exitSignal      = 128
)

// ErrDeadline is why a run ended that was not done in the time its command was given.
var ErrDeadline = errors.New("the time given with -t is over")

// SignalError is why a run ended that a signal told to.
type SignalError struct{ Signal syscall.Signal }

// Error names the signal.
func (e *SignalError) Error() string { return "signal: " + e.Signal.String() }

// StoppedError is a run that was told to end before it was done.
type StoppedError struct {
	// Cause is a *SignalError, ErrDeadline, or what the caller's context says.
	Cause error
}

// Error says that the run was stopped, and by what.
func (e *StoppedError) Error() string {
	if errors.Is(e.Cause, context.Canceled) {
		return "the run was stopped: interrupted"
	}
	return "the run was stopped: " + e.Cause.Error()
}

// Unwrap gives the cause.
func (e *StoppedError) Unwrap() error { return e.Cause }

// ExitCode is the exit code of a command that ended with err: 0 for nil, 1 when specs
// failed, 124 when its time was over, 128 and the number of the signal that stopped it
// (130 for an interruption), and 3 for everything else: the set-up failed.
func ExitCode(err error) int {
	if stopped, ok := errors.AsType[*StoppedError](err); ok {
		if s, ok := errors.AsType[*SignalError](stopped.Cause); ok {
			return exitSignal + int(s.Signal)
		}
		if errors.Is(stopped.Cause, ErrDeadline) {
			return exitDeadline
		}
		return exitSignal + int(syscall.SIGINT)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrSpecs):
		return exitSpecs
	}
	return exitEnvironment
}

// stoppableKey has the time at which mage ends the process; zero for never.
type stoppableKey struct{}

// evidenceBudget is how long evidence may be collected: evidenceTimeout, but leastGrace of
// the command's own time stays for the removal of the cluster.
func evidenceBudget(ctx context.Context) time.Duration {
	deadline, _ := ctx.Value(stoppableKey{}).(time.Time)
	if deadline.IsZero() {
		return evidenceTimeout
	}
	return min(evidenceTimeout, max(time.Until(deadline)-leastGrace, leastEvidence))
}

// Stoppable returns a context that ends early enough for a run to clean up: when the
// process is told to end (SIGTERM), when its terminal is closed (SIGHUP), and some time
// before the deadline of ctx, since mage ends the process at the deadline itself. Ctrl-C
// is mage's: it cancels ctx. A pipe that nobody reads any longer no longer ends the
// process either, so that the run comes to its own end. stop gives the signals back.
func Stoppable(ctx context.Context) (stoppable context.Context, stop func()) {
	if ctx.Value(stoppableKey{}) != nil {
		return ctx, func() {}
	}
	deadline, limited := ctx.Deadline()
	ctx = context.WithValue(ctx, stoppableKey{}, deadline)
	expired := func() {}
	if limited {
		left := time.Until(deadline)
		grace := min(deadlineGrace, max(left/4, leastGrace), left/4*3)
		ctx, expired = context.WithDeadlineCause(ctx, deadline.Add(-grace), ErrDeadline)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	// A channel of its own: in one with room for one signal it would be in the way.
	unread := make(chan os.Signal, 1)
	signal.Notify(unread, syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		// Else it was started with nohup(1), to go on without its terminal.
		signal.Notify(signals, syscall.SIGHUP)
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
		case s := <-signals:
			if number, ok := s.(syscall.Signal); ok {
				cancel(&SignalError{number})
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		signal.Stop(unread)
		close(ended)
		cancel(nil)
		expired()
	}
}

// patient returns a context that Ctrl-C ends, without the five seconds that mage gives for
// cleaning up: several clusters take longer to go. It takes the signal from mage and does
// not give it back; a second Ctrl-C ends the process at once, as it does in mage. stop says
// that there is nothing to clean up any more.
func patient(ctx context.Context) (patient context.Context, stop func()) {
	if signal.Ignored(syscall.SIGINT) {
		return ctx, func() {}
	}
	signal.Ignore(syscall.SIGINT) // Whoever listened does not hear of it any more.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT)
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
		case <-interrupts:
			signal.Reset(syscall.SIGINT)
			cancel(&SignalError{syscall.SIGINT})
		}
	}()
	return ctx, func() {
		close(ended)
		signal.Reset(syscall.SIGINT)
		cancel(nil)
	}
}

// stopped adds to err why ctx ended, if it did.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil || err == nil {
		return err
	}
	if _, told := errors.AsType[*StoppedError](err); told {
		return err
	}
	return errors.Join(&StoppedError{context.Cause(ctx)}, err)
}
