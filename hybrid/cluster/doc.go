// Package cluster owns Kind clusters: making their nodes through kind's library,
// starting Kubernetes on them,
// proving that they work (node Ready, DNS, a ClusterIP and a NodePort, not only
// the Ready condition), recording who owns them and until when, watching their
// nodes and deleting exactly the containers that were made for them. It also owns
// reading how to reach a cluster that somebody else made. It never writes
// ~/.kube/config, and reads it only where it is named as a kubeconfig.
package cluster
