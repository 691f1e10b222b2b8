// Package apiserver owns the Kubernetes APIs that tests of the Gateway write to: a
// real API server with its own etcd, started on free ports of the loopback
// interface, and controller-runtime's fake. The programs of the real one come from
// KUBEBUILDER_ASSETS, which `mage test` sets where the node image is at hand.
// Only tests import it.
package apiserver
