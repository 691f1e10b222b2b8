// Package metrics owns the Prometheus metrics of the Gateway: their names, labels
// and the closed sets of label values. No label is taken from what a sender wrote,
// so that the number of series is bounded.
package metrics
