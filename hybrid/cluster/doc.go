// Package cluster owns Kind clusters: creating them through kind's library,
// proving that they work (node Ready, DNS, a ClusterIP and a NodePort, not only
// the Ready condition), recording who owns them, watching their nodes and
// deleting them by exact name. It never reads or writes ~/.kube/config.
package cluster
