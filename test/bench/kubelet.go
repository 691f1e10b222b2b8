package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// summary is the part of the kubelet's statistics that is used.
type summary struct {
	Pods []struct {
		Containers []struct {
			Name string `json:"name"`
			CPU  struct {
				Time  time.Time `json:"time"`
				Nanos float64   `json:"usageCoreNanoSeconds"`
			} `json:"cpu"`
			Memory struct {
				RSS float64 `json:"rssBytes"`
			} `json:"memory"`
		} `json:"containers"`
	} `json:"pods"`
}

// findNode finds the node whose kubelet is asked.
func (s *system) findNode(ctx context.Context) error {
	nodes, err := s.clientset.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	if len(nodes.Items) != 1 {
		return fmt.Errorf("the cluster has %d nodes; shares of the processors are measured on one", len(nodes.Items))
	}
	s.node = nodes.Items[0].Name
	for _, address := range nodes.Items[0].Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			s.address = address.Address
		}
	}
	return nil
}

// direct returns the URL of a NodePort at the node itself, which spares the engine's
// proxy between 127.0.0.1 and the node, or else where the node cannot be reached from
// here: an engine in a virtual machine has networks of its own.
func (s *system) direct(ctx context.Context, port int32, otherwise string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	address := net.JoinHostPort(s.address, strconv.Itoa(int(port)))
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return otherwise
	}
	_ = connection.Close() // Nothing was sent.
	return "http://" + address
}

// containers asks the kubelet what each container has used. Every sample has a time
// of its own, up to ten seconds ago.
func (s *system) containers(ctx context.Context) (map[string]sample, error) {
	text, err := s.clientset.CoreV1().RESTClient().Get().Resource("nodes").Name(s.node).SubResource("proxy").
		Suffix("stats/summary").Param("only_cpu_and_memory", "true").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the kubelet of %s: %w", s.node, err)
	}
	return parseSummary(text)
}

func parseSummary(text []byte) (map[string]sample, error) {
	var all summary
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("read the kubelet's statistics: %w", err)
	}
	used := map[string]sample{}
	for _, pod := range all.Pods {
		for _, c := range pod.Containers {
			if c.CPU.Time.IsZero() {
				continue
			}
			used[c.Name] = sample{at: c.CPU.Time, cpu: c.CPU.Nanos / float64(time.Second), memory: c.Memory.RSS}
		}
	}
	return used, nil
}
