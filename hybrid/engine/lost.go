package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// LostError says that the engine no longer answers: it was stopped or restarted, and all
// its containers with it.
type LostError struct{ Err error }

// Error gives what the engine's client says.
func (e *LostError) Error() string {
	return fmt.Sprintf("the container engine stopped answering: %v", e.Err)
}

// Unwrap gives the cause.
func (e *LostError) Unwrap() error { return e.Err }

// Lost is a *LostError that says why, in the words of the client, and what to do.
func Lost(err error) error {
	if failed, ok := errors.AsType[*command.Error](err); ok && failed.Tail != "" {
		err = errors.New(failed.Tail)
	}
	return fault.With(&LostError{err}, "go run magefile.go setup, then the same command again")
}

// Gone returns a *LostError when the engine does not answer, else nil.
func (e *Engine) Gone(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if _, err := e.Run(ctx, nil, "ps", "--quiet", "--last", "1"); err != nil {
		return Lost(err)
	}
	return nil
}
