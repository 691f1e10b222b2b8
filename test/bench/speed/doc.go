// Package speed measures the pipeline itself against what people would do without it:
// plain kind, a script, the same with goroutines, sigs.k8s.io/e2e-framework. All sides of a
// comparison run in turn in one process, so that what else the machine does falls on each
// of them; medians and their ratios are printed and kept as JSON.
package speed
