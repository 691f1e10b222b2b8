package diagnose

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// node collects what the engine and the node itself know. A node that died
// answers no exec, but the engine still has its state and its output.
func (c *collector) node(ctx context.Context, node string) {
	parts := []struct {
		file string
		args []string
	}{
		{"journal.log", []string{"exec", node, "journalctl", "--no-pager", "-n", "5000"}},
		{"kubelet.log", []string{"exec", node, "journalctl", "-u", "kubelet", "--no-pager", "-n", "5000"}},
		{"containerd.log", []string{"exec", node, "journalctl", "-u", "containerd", "--no-pager", "-n", "5000"}},
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
		data, err := c.o.Run(ctx, "exec", node, "df", "-h")
		c.save(path.Join("nodes", node, "disk.txt"), data, err)
		for _, where := range full(data) {
			c.find("Node container %s: %s.", node, where)
		}
	})
	c.background(func() {
		data, err := c.o.Run(ctx, "inspect", node)
		c.save(path.Join("nodes", node, "inspect.json"), data, err)
		c.judgeNode(node, data)
	})
}

// full finds the file systems in the output of df(1) that are 99 % full or more.
func full(df []byte) (found []string) {
	seen := map[string]bool{}
	for line := range strings.Lines(string(df)) {
		f := strings.Fields(line)
		const columns, use, place = 6, 4, 5
		if len(f) < columns {
			continue
		}
		percent, err := strconv.Atoi(strings.TrimSuffix(f[use], "%"))
		if err != nil || percent < 99 || seen[f[0]+f[1]] {
			continue
		}
		seen[f[0]+f[1]] = true
		found = append(found, fmt.Sprintf("the disk at %s is full, %s of %s used", f[place], f[2], f[1]))
	}
	return found
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
