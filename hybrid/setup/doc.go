// Package setup owns what a bare machine needs before the pipeline can run on
// it: a reachable container engine and the few host packages that local images
// and unit tests use. It also owns the preflight findings that name what a
// machine lacks and how to fix it.
//
// A running engine is used as it is. Only an engine that this package installs
// is configured by it.
package setup
