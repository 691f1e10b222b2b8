// Package diagnose owns the evidence that is kept when a run fails: pods,
// events, container logs, and what the nodes say about themselves, collected in
// parallel within seconds, with a summary that begins with the cause. Values of
// Secrets never reach a file. What cannot be had is named; the rest is kept.
package diagnose
