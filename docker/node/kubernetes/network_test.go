package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestRoutes(t *testing.T) {
	addresses := []corev1.NodeAddress{
		{Type: corev1.NodeHostName, Address: "worker"},
		{Type: corev1.NodeInternalIP, Address: "fc00::3"},
		{Type: corev1.NodeInternalIP, Address: "172.18.0.3"},
	}
	node := func(addresses []corev1.NodeAddress, ranges ...string) *corev1.Node {
		return &corev1.Node{Spec: corev1.NodeSpec{PodCIDRs: ranges}, Status: corev1.NodeStatus{Addresses: addresses}}
	}
	got := routes(node(addresses, "10.244.1.0/24", "fd00::/64", "nonsense"))
	if len(got) != 1 || got[0].Dst.String() != "10.244.1.0/24" || got[0].Gw.String() != "172.18.0.3" {
		t.Errorf("routes %v, want 10.244.1.0/24 via 172.18.0.3", got)
	}
	if got := routes(node(addresses)); len(got) != 0 {
		t.Errorf("a node without pod range got routes %v", got)
	}
	if got := routes(node(nil, "10.244.1.0/24")); len(got) != 0 {
		t.Errorf("a node without address got routes %v", got)
	}
}
