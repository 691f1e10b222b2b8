package diagnose

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// node collects what the engine and the node itself know. One that died or is paused
// answers no exec, but the engine still has its state and its output.
func (c *collector) node(ctx context.Context, node string) {
	folder := path.Join("nodes", node)
	c.background(func() {
		data, err := c.o.Run(ctx, "logs", "--tail", "500", node)
		c.save(path.Join(folder, "output.log"), data, err)
	})
	c.background(func() {
		data, err := c.o.Run(ctx, "inspect", node)
		c.save(path.Join(folder, "inspect.json"), data, err)
		if state := c.judgeNode(node, data); state != running {
			c.gap("what "+node+" says itself", fmt.Errorf("its container is %s", cmp.Or(state, "not known")))
			return
		}
		for _, p := range []struct{ file, command string }{
			{"journal.log", "journalctl --no-pager -n 5000"},
			{"kubelet.log", "journalctl -u kubelet --no-pager -n 5000"},
			{"containerd.log", "journalctl -u containerd --no-pager -n 5000"},
			{diskFile, "df -h"},
			{"inodes.txt", "df -i"},
			{"memory.txt", "cat /proc/meminfo /proc/loadavg"},
			{"containers.txt", "crictl ps -a"},
			{"images.txt", "crictl images"},
		} {
			c.background(func() {
				data, err := c.o.Run(ctx, append([]string{"exec", node}, strings.Fields(p.command)...)...)
				c.save(path.Join(folder, p.file), data, err)
				if p.file == diskFile {
					for _, where := range full(data) {
						c.find("Node container %s: %s.", node, where)
					}
				}
			})
		}
	})
}

const (
	diskFile = "disk.txt"
	// running is the engine's word for a container that works.
	running = "running"
)

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

// judgeNode says in the summary that a node died, and of what. It returns the state of its
// container in the engine's word, empty when that cannot be read.
func (c *collector) judgeNode(node string, inspect []byte) string {
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
		return ""
	}
	s := containers[0].State
	if s.Status == running {
		return running
	}
	if s.Status == "paused" {
		c.find("Node container %s is paused.", node)
		return s.Status
	}
	why := ""
	if s.OOMKilled {
		why = "; it ran out of memory (OOMKilled)"
	}
	if s.Error != "" {
		why += "; " + s.Error
	}
	c.find("Node container %s is %s since %s, exit code %d%s.", node, s.Status, s.FinishedAt, s.ExitCode, why)
	return s.Status
}
