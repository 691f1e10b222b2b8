// Package command owns the one seam through which Hybrid starts external
// programs. Everything that runs docker, podman, apt-get or go does it with a
// [Runner]; tests hand in a [Recorder] and assert the exact argument lists.
package command
