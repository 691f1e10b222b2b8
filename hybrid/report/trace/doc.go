// Package trace owns the OpenTelemetry trace of a run: the run, its phases and its tasks
// as spans.
package trace
