// Command containerd is containerd, its client ctr and the part of crictl that
// kind calls, in one program; it acts as the one by whose name it is called.
//
// It is a module of its own because this containerd does not compile against
// the CRI API of the Kubernetes release beside it.
package main
