// Package deploy owns how manifests become running workloads: it decodes and
// checks plain YAML before anything is built, fills in image references, lays
// the coverage overlay over instrumented workloads, applies everything
// server-side under the field manager "hybrid", and waits with watches until
// the rollout is complete. Waiting that cannot succeed ends at once with a
// [NotReadyError] that carries the evidence.
package deploy
