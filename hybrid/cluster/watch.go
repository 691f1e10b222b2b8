package cluster

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	kindexec "sigs.k8s.io/kind/pkg/exec"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// NodeDiedError says that a node's container stopped while the run needed it.
type NodeDiedError struct {
	Node string
	// ExitCode is that of the container, as the engine tells it; empty when it does not.
	ExitCode string
	// State is what else the engine knows: whether memory ran out, an error.
	State string
	// Tail is the end of the container's log.
	Tail string
}

// Error names the node and why the engine thinks it stopped.
func (e *NodeDiedError) Error() string {
	msg := fmt.Sprintf("node %s died: exit code %s", e.Node, e.ExitCode)
	if e.State != "" {
		msg += ", " + e.State
	}
	if e.Tail != "" {
		msg += "\n" + e.Tail
	}
	return msg
}

// NodePausedError says that somebody paused a node's container: nothing in it goes on.
type NodePausedError struct{ Node string }

// Error names the node.
func (e *NodePausedError) Error() string { return "node " + e.Node + " was paused" }

// NodeNotReadyError says that a node that was Ready no longer is, and stays so.
type NodeNotReadyError struct{ Node, Message string }

// Error names the node and what Kubernetes says of it.
func (e *NodeNotReadyError) Error() string {
	return fmt.Sprintf("node %s is not Ready any more: %s", e.Node, e.Message)
}

// NodeFailed reports whether err came of a node that died, was paused or is not Ready
// any more: a new cluster may help.
func NodeFailed(err error) bool {
	if _, died := errors.AsType[*NodeDiedError](err); died {
		return true
	}
	if _, paused := errors.AsType[*NodePausedError](err); paused {
		return true
	}
	_, notReady := errors.AsType[*NodeNotReadyError](err)
	return notReady
}

// Lost reports whether err means that nothing in the cluster can be asked any more.
func Lost(err error) bool {
	_, lost := errors.AsType[*engine.LostError](err)
	return lost || NodeFailed(err)
}

// Mute reports whether err means that the API server cannot answer: the engine is gone,
// or the container of the control plane died or was paused.
func Mute(err error) bool {
	if _, lost := errors.AsType[*engine.LostError](err); lost {
		return true
	}
	if died, ok := errors.AsType[*NodeDiedError](err); ok {
		return strings.HasSuffix(died.Node, firstNode)
	}
	paused, ok := errors.AsType[*NodePausedError](err)
	return ok && strings.HasSuffix(paused.Node, firstNode)
}

// again is what to do when a node failed and the run could not help itself.
const again = "mage doctor, then the same command again"

// Watch returns a context that ends as soon as something happens to a node that the run
// cannot go on from: its container stops (*NodeDiedError) or is paused
// (*NodePausedError), Kubernetes does not hear of it any more (*NodeNotReadyError), or
// the engine itself is gone (*engine.LostError), which then is the context's cause. The
// engine's events and the API server's watch tell, so it costs nothing while all is
// well. The returned function ends the watch, so that no process of it is left when it
// returns, and must be called before the cluster is deleted.
func (c *Cluster) Watch(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.adopted {
		return context.WithCancel(ctx)
	}
	return c.watch(ctx, c.watchContainers, c.watchReady)
}

// watch has several watchers at work, of which the first that finds something ends the
// context.
func (c *Cluster) watch(ctx context.Context, watchers ...func(context.Context) error) (context.Context, context.CancelFunc) {
	watched, cancel := context.WithCancelCause(ctx)
	var waits sync.WaitGroup
	for _, w := range watchers {
		waits.Go(func() {
			if err := w(watched); err != nil && watched.Err() == nil {
				cancel(err)
			}
		})
	}
	return watched, func() {
		cancel(nil)
		waits.Wait()
	}
}

// watchContainers follows the engine's events about the nodes since the cluster came to
// be, or to be used by this run, and returns why the run cannot go on.
func (c *Cluster) watchContainers(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	died, format := "die", "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}"
	if c.engine.Kind == engine.Podman {
		died, format = "died", "{{.Status}} {{.Name}} {{.ContainerExitCode}}"
	}
	events := c.engine.Command(nil, "events", "--since", fmt.Sprintf("%.3f", float64(c.since.UnixMilli())/1000),
		"--filter", "type=container", "--filter", "event="+died, "--filter", "event=pause",
		"--filter", "label="+clusterLabel+"="+c.Name(), "--format", format)
	events.Stdout = &lines{each: func(line string) {
		what, rest, _ := strings.Cut(line, " ")
		node, code, _ := strings.Cut(rest, " ")
		switch what {
		case died:
			stop(fault.With(c.postMortem(ctx, node, code), again))
		case "pause":
			stop(nodePaused(node))
		}
	}}
	_, err := c.engine.Runner.Run(ctx, events)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.engine.Kind == engine.Podman {
		return nil // It is no service: its events may end, and it is still there.
	}
	if err == nil {
		err = errors.New("it ended its events")
	}
	return engine.Lost(err)
}

// lines hands on each line that is written to it, which may come in parts.
type lines struct {
	part []byte
	each func(line string)
}

func (l *lines) Write(p []byte) (int, error) {
	l.part = append(l.part, p...)
	for {
		line, rest, whole := bytes.Cut(l.part, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.part = rest
		l.each(string(bytes.TrimSpace(line)))
	}
}

// tellTimeout is how long the engine may take to tell of the end of a container, in which
// commands fail already.
const tellTimeout = 2 * time.Second

// Failed looks whether something has happened to the cluster that explains why the run
// cannot go on because of err, and returns nil when all nodes run. When a command failed
// the engine is given a moment to notice.
func (c *Cluster) Failed(ctx context.Context, err error) error {
	if c.adopted {
		return nil
	}
	_, ours := errors.AsType[*command.Error](err)
	_, kinds := errors.AsType[*kindexec.RunError](err)
	if ours || kinds {
		limited, cancel := context.WithTimeout(ctx, tellTimeout)
		defer cancel()
		if told := c.watchContainers(limited); Lost(told) {
			return told
		}
	}
	nodes, err := c.engine.Containers(ctx, clusterLabel+"="+c.Name())
	if err != nil {
		return engine.Lost(err)
	}
	for _, node := range nodes {
		switch node.State.Status {
		case "paused":
			return nodePaused(node.Name)
		case "exited", "dead":
			return fault.With(c.postMortem(ctx, node.Name, ""), again)
		}
	}
	return nil
}

func nodePaused(node string) error {
	return fault.With(&NodePausedError{node}, "look who paused it, then the same command again")
}

// postMortemTimeout bounds what is asked about a node that died.
const postMortemTimeout = 3 * time.Second

func (c *Cluster) postMortem(ctx context.Context, node, code string) error {
	ctx, cancel := context.WithTimeout(ctx, postMortemTimeout)
	defer cancel()
	died := &NodeDiedError{Node: node, ExitCode: code}
	format := "{{.State.ExitCode}} OOMKilled {{.State.OOMKilled}} {{.State.Error}}"
	if out, err := c.engine.Run(ctx, nil, "inspect", "--format", format, node); err == nil {
		now, state, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
		// The event tells that of the end; a node that was started again has none any more.
		died.ExitCode, died.State = cmp.Or(code, now), state
	}
	if out, err := c.engine.Run(ctx, nil, "logs", "--tail", "10", node); err == nil {
		died.Tail = strings.TrimSpace(string(out))
	}
	return died
}
