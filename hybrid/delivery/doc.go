// Package delivery owns the way of files out of a cluster in which nobody may look into
// the nodes: through the log of a container. The program in its folder courier sends them
// from there.
package delivery
