// Package speed measures the pipeline itself against what people would do without it.
// Both sides of a comparison run in turn in one process, so that what else the machine
// does falls on both; medians and their ratios are printed and kept as JSON.
package speed
