// Package testbed is what the specs of a suite stand on: clients for the cluster,
// exchanges over HTTP, metrics, and copies of deployed workloads that a spec may
// disturb. It knows the cluster and the endpoints of a suite, and no service.
package testbed
