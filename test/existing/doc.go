// Package existing tests runs in a cluster that somebody else made: a Kind cluster beside
// the pipeline, with a registry of its own. Its tests have the build tag cluster.
package existing
