// Package task owns how work inside a phase runs: a bounded, dependency-ordered
// group of named tasks. The first failure cancels the siblings, every error
// carries its task's name and log file, and all of them are reported together.
// It also owns the events (started, status, ended) from which the terminal and
// the timeline are made.
package task
