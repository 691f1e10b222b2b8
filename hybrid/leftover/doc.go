// Package leftover owns what a run would leave behind if it were killed: processes,
// containers, images that were half made, temporary files. A run marks all of them
// while it is at work; the next one in the checkout removes those of runs that are
// gone. Clusters are not among them, they have leases.
package leftover
