package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"

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

// Watch returns a context that ends with a *NodeDiedError as its cause as soon
// as a node's container stops. The engine's own wait is used, so it costs
// nothing while all is well. The returned function ends the watch, so that no process
// of it is left when it returns, and must be called before the cluster is deleted.
func (c *Cluster) Watch(ctx context.Context) (context.Context, context.CancelFunc) {
	watched, cancel := context.WithCancelCause(ctx)
	var waits sync.WaitGroup
	for i := range 1 + c.record.Config.Workers {
		node := nodeName(c.record.Config.Name, i)
		waits.Go(func() {
			if _, err := c.engine.Run(watched, nil, "wait", node); err == nil && watched.Err() == nil {
				cancel(fault.With(c.postMortem(watched, node), "mage doctor, then the same command again"))
			}
		})
	}
	return watched, func() {
		cancel(nil)
		waits.Wait()
	}
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
