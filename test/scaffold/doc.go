// Package scaffold writes a new suite into this repository: a small service or
// controller that works, its image, manifests, ports, declaration and first specs.
//
// What is written stands in txtar archives, one for both shapes and one for each. The
// package knows where things lie in this repository, and no service by name.
package scaffold
