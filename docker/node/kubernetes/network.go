package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// resync is how often everything is set again, should someone have flushed a
// table; changes themselves arrive by watch.
const resync = time.Minute

// network keeps one node's share of the pod network: a route to the pods of
// every other node and one rule that masquerades what leaves the pod network.
type network struct {
	node, podSubnet string
}

// runNetwork is the kindnetd applet. Its environment is NODE_NAME, POD_SUBNET
// and CONTROL_PLANE_ENDPOINT (host:port), the latter so that it need not wait
// for kube-proxy. Pod addresses are given out by the CNI plugins.
func runNetwork() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	n := network{node: os.Getenv("NODE_NAME"), podSubnet: os.Getenv("POD_SUBNET")}
	if err := n.run(ctx, os.Getenv("CONTROL_PLANE_ENDPOINT")); err != nil {
		slog.Error("the pod network ends", "error", err)
		return 1
	}
	return 0
}

func (n network) run(ctx context.Context, controlPlane string) error {
	config, err := rest.InClusterConfig()
	if err != nil {
		return fmt.Errorf("read the service account: %w", err)
	}
	if controlPlane != "" {
		config.Host = "https://" + controlPlane
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, resync)
	_, err = factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { n.see(ctx, o) },
		UpdateFunc: func(_, o any) { n.see(ctx, o) },
		DeleteFunc: n.forget,
	})
	if err != nil {
		return fmt.Errorf("watch nodes: %w", err)
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
	factory.Shutdown()
	return nil
}

// see sets what this node needs to know about another one, or about itself.
func (n network) see(ctx context.Context, object any) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return
	}
	if node.Name == n.node {
		if err := masquerade(ctx, n.podSubnet); err != nil {
			slog.Error("masquerade the pod network", "error", err)
		}
		return
	}
	for _, r := range routes(node) {
		if err := netlink.RouteReplace(&r); err != nil {
			slog.Error("set a route", "node", node.Name, "route", r.String(), "error", err)
		}
	}
}

// forget removes the routes to a node that left the cluster.
func (n network) forget(object any) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	node, ok := object.(*corev1.Node)
	if !ok || node.Name == n.node {
		return
	}
	for _, r := range routes(node) {
		if err := netlink.RouteDel(&r); err != nil {
			slog.Warn("remove a route", "node", node.Name, "route", r.String(), "error", err)
		}
	}
}

// routes gives one route per IPv4 pod range of a node, none as long as the node
// has no address or no range.
func routes(node *corev1.Node) []netlink.Route {
	var gateway net.IP
	for _, a := range node.Status.Addresses {
		if ip := net.ParseIP(a.Address).To4(); a.Type == corev1.NodeInternalIP && ip != nil {
			gateway = ip
			break
		}
	}
	if gateway == nil {
		return nil
	}
	var all []netlink.Route
	for _, cidr := range node.Spec.PodCIDRs {
		if _, pods, err := net.ParseCIDR(cidr); err == nil && pods.IP.To4() != nil {
			all = append(all, netlink.Route{Dst: pods, Gw: gateway})
		}
	}
	return all
}

// masquerade makes sure that traffic from pods to anywhere outside the pod
// network carries the node's address.
func masquerade(ctx context.Context, podSubnet string) error {
	rule := []string{"POSTROUTING", "-s", podSubnet, "!", "-d", podSubnet,
		"-m", "comment", "--comment", "kindnetd: leave the pod network", "-j", "MASQUERADE"}
	iptables := func(action string) *exec.Cmd {
		return exec.CommandContext(ctx, "iptables", append([]string{"--wait", "--table", "nat", action}, rule...)...)
	}
	if iptables("--check").Run() == nil {
		return nil
	}
	if out, err := iptables("--append").CombinedOutput(); err != nil {
		return fmt.Errorf("iptables: %w: %s", err, out)
	}
	return nil
}
