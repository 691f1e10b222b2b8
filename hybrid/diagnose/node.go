package diagnose

import (
	"context"
	"encoding/json"
	"path"
)

// node collects what the engine and the node itself know. A node that died
// answers no exec, but the engine still has its state and its output.
func (c *collector) node(ctx context.Context, node string) {
	parts := []struct {
		file string
		args []string
	}{
		{"journal.log", []string{"exec", node, "journalctl", "-u", "kubelet", "-u", "containerd", "--no-pager", "-n", "2000"}},
		{"disk.txt", []string{"exec", node, "df", "-h"}},
		{"inodes.txt", []string{"exec", node, "df", "-i"}},
		{"memory.txt", []string{"exec", node, "cat", "/proc/meminfo", "/proc/loadavg"}},
		{"containers.txt", []string{"exec", node, "crictl", "ps", "-a"}},
		{"images.txt", []string{"exec", node, "crictl", "images"}},
		{"output.log", []string{"logs", "--tail", "500", node}},
	}
	for _, p := range parts {
		c.background(func() {
			data, err := c.o.Run(ctx, p.args...)
			c.save(path.Join("nodes", node, p.file), data, err)
		})
	}
	c.background(func() {
		data, err := c.o.Run(ctx, "inspect", node)
		c.save(path.Join("nodes", node, "inspect.json"), data, err)
		c.judgeNode(node, data)
	})
}

// judgeNode says in the summary that a node died, and of what.
func (c *collector) judgeNode(node string, inspect []byte) {
	var containers []struct {
		State struct {
			Status     string
			OOMKilled  bool
			ExitCode   int
			Error      string
			FinishedAt string
		}
	}
	if json.Unmarshal(inspect, &containers) != nil || len(containers) != 1 {
		return
	}
	s := containers[0].State
	if s.Status == "running" {
		return
	}
	why := ""
	if s.OOMKilled {
		why = "; it ran out of memory (OOMKilled)"
	}
	if s.Error != "" {
		why += "; " + s.Error
	}
	c.find("Node container %s is %s since %s, exit code %d%s.", node, s.Status, s.FinishedAt, s.ExitCode, why)
}
