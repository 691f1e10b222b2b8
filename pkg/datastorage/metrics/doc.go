// Package metrics owns the numbers that DataStorage tells about itself, in a registry
// of its own. No label takes a value from a request.
package metrics
