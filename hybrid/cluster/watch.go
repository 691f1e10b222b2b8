package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// NodeDiedError says that a node's container stopped while the run needed it.
type NodeDiedError struct {
	Node string
	// State is the engine's account: exit code, OOMKilled, error.
	State string
	// Tail is the end of the container's log.
	Tail string
}

// Error names the node and why the engine thinks it stopped.
func (e *NodeDiedError) Error() string {
	msg := fmt.Sprintf("node %s died: %s", e.Node, e.State)
	if e.Tail != "" {
		msg += "\n" + e.Tail
	}
	return msg
}

// NodePausedError says that somebody paused a node's container: nothing in it goes on.
type NodePausedError struct{ Node string }

// Error names the node.
func (e *NodePausedError) Error() string { return "node " + e.Node + " was paused" }

// NodeFailed reports whether err came of a node that died or was paused: nothing in the
// cluster can be asked any more.
func NodeFailed(err error) bool {
	if _, died := errors.AsType[*NodeDiedError](err); died {
		return true
	}
	_, paused := errors.AsType[*NodePausedError](err)
	return paused
}

// Watch returns a context that ends as soon as a node's container stops, with a
// *NodeDiedError as its cause, or is paused, with a *NodePausedError. The engine's own
// wait and events are used, so it costs nothing while all is well. The returned function
// ends the watch, so that no process of it is left when it returns, and must be called
// before the cluster is deleted.
func (c *Cluster) Watch(ctx context.Context) (context.Context, context.CancelFunc) {
	watched, cancel := context.WithCancelCause(ctx)
	var waits sync.WaitGroup
	// What happens until the engine listens counts, too.
	since := fmt.Sprintf("%.3f", float64(time.Now().UnixMilli())/1000)
	pauses := c.engine.Command(nil, "events", "--filter", "type=container", "--filter", "event=pause", "--format", pausedName(c.engine.Kind), "--since", since)
	for i := range 1 + c.record.Config.Workers {
		node := nodeName(c.record.Config.Name, i)
		pauses.Args = append(pauses.Args, "--filter", "container="+node)
		waits.Go(func() {
			if _, err := c.engine.Run(watched, nil, "wait", node); err == nil && watched.Err() == nil {
				cancel(fault.With(c.postMortem(watched, node), "mage doctor, then the same command again"))
			}
		})
	}
	pauses.Stdout = lineFunc(func(node string) {
		cancel(fault.With(&NodePausedError{node}, "look who paused it, then the same command again"))
	})
	waits.Go(func() { _, _ = c.engine.Runner.Run(watched, pauses) }) // Without events a run is as good as it was before.
	return watched, func() {
		cancel(nil)
		waits.Wait()
	}
}

// pausedName is the format in which an event tells the name of its container.
func pausedName(kind string) string {
	if kind == engine.Podman {
		return "{{.Name}}"
	}
	return "{{.Actor.Attributes.name}}"
}

// lineFunc is told each line that is written to it, of which none comes in parts: the
// engine writes one event at a time.
type lineFunc func(line string)

func (f lineFunc) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		f(strings.TrimSpace(line))
	}
	return len(p), nil
}

func (c *Cluster) postMortem(ctx context.Context, node string) error {
	died := &NodeDiedError{Node: node, State: "state unknown"}
	format := "exit code {{.State.ExitCode}}, OOMKilled {{.State.OOMKilled}} {{.State.Error}}"
	if out, err := c.engine.Run(ctx, nil, "inspect", "--format", format, node); err == nil {
		died.State = strings.TrimSpace(string(out))
	}
	if out, err := c.engine.Run(ctx, nil, "logs", "--tail", "10", node); err == nil {
		died.Tail = strings.TrimSpace(string(out))
	}
	return died
}
