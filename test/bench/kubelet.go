package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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
	return nil
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
