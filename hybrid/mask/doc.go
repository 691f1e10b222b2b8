// Package mask owns the hiding of secret values in texts that leave a run: errors,
// evidence, summaries. It hides what a cluster's Secrets hold, and what looks like a
// credential wherever it comes from.
package mask
