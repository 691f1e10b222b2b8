// Package cluster owns Kind clusters: creating them through kind's library,
// proving that they work (node Ready, DNS, a ClusterIP and a NodePort, not only
// the Ready condition), recording who owns them and until when, watching their
// nodes and deleting exactly the containers that were made for them. It never
// reads or writes ~/.kube/config.
package cluster
