// Package fault owns the error form that Hybrid shows to people: what failed,
// why, and the exact next command to run.
package fault

import "errors"

// Error is a failure that tells the reader what to do next.
type Error struct {
	// Err is what failed and why.
	Err error
	// Next is the next command to run, or a short instruction.
	Next string
}

// Error gives the cause only; whoever prints the error asks Next for the rest,
// so that the hint stands once and last.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// With attaches the next step to err. A nil err stays nil.
func With(err error, next string) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Next: next}
}

// Next finds the first next step in the tree of err, empty when there is none.
func Next(err error) string {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Next
	}
	return ""
}
