// Package stock owns the list of the pipeline's images that the engine holds: what each is,
// how old its security updates are, and whether the current sources use it.
package stock
