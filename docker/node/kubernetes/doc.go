// Command kubernetes is every component of a Kubernetes node in one program:
// API server, controller manager, scheduler, kubelet, kube-proxy, kubeadm,
// kubectl, etcd, CoreDNS and a small pod network. Like busybox it acts as the
// program by whose name it is called; "kubernetes NAME ARGUMENTS…" works, too.
//
// It exists for the stand-in node image, which is made on machines that reach
// no registry. One program compiles, links and stores the shared packages once:
// 180 MB instead of the 650 MB of separate ones.
package main
