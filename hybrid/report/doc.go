// Package report owns what is known about a run once it happened: the timeline
// of its phases and tasks as a file and as a table, the check that the phases
// kept their order, and the results of the specs.
package report
