// Package infrastructure owns what the E2E suites of this repository consist of:
// their images, manifests, endpoints and coverage floors, and the one table of
// NodePorts. The pipeline in package hybrid knows no service by name; everything
// it does for a service follows from a declaration here.
package infrastructure
