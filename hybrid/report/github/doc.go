// Package github owns what GitHub Actions shows of a run beside its output: annotations
// at the lines of failed specs, and the summary of a step.
package github
