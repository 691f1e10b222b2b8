// Package buildkit owns builds on a BuildKit elsewhere. Many machines then share its cache,
// or one in a registry; what is built comes into the engine, under the tag that the engine's
// own builder would have given it.
package buildkit
