// Package verify owns the checks of the project's standards (docs/standards).
// It parses Dockerfiles, shell scripts inside them, Go sources and Kubernetes
// manifests and reports every place that departs from a standard; it never
// searches text. What depends on the suites (image names, NodePorts) comes in
// [Options], so that the package knows no service by name. It serves any repository of a
// Go module: a rule that finds nothing to look at is reported as not checked.
package verify
