// Package testbed is what the specs of a suite stand on: clients for the cluster,
// exchanges over HTTP, metrics, and copies of deployed workloads that a spec may
// disturb. It knows the cluster, the endpoints of a suite and the stores behind the
// services, and no service.
package testbed
