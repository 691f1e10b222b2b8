// Package engine owns the container engine's command line: it finds docker or
// podman once and runs every image and container operation of the pipeline
// through that one client.
package engine
