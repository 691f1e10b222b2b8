package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// The labels that kind gives its nodes.
const (
	clusterLabel = "io.x-k8s.kind.cluster"
	roleLabel    = "io.x-k8s.kind.role"
	controlPlane = "control-plane"
)

// made tells whether a container that bears the cluster's name is one of those that
// the record speaks of. Anybody may give a cluster this name, and a name alone is no
// reason to delete it.
func (r Record) made(c engine.Container) bool {
	if len(r.Nodes) > 0 {
		return slices.ContainsFunc(r.Nodes, func(n Node) bool { return n.ID == c.ID })
	}
	// The creation was cut short before the ids were known. What it made is younger
	// than the record, has the folder mounted that is this checkout's alone, and the
	// host ports that were drawn for it.
	if c.Created.Before(r.Started) {
		return false
	}
	if folder := r.Config.CoverData; folder != "" && !slices.ContainsFunc(c.Mounts, func(m engine.Mount) bool { return m.Source == folder }) {
		return false
	}
	return c.Config.Labels[roleLabel] != controlPlane || !slices.ContainsFunc(r.Config.Ports, func(p Port) bool { return !binds(c, p) })
}

// binds tells whether the container has the mapping.
func binds(c engine.Container, p Port) bool {
	host := strconv.Itoa(int(p.Host))
	return slices.ContainsFunc(c.HostConfig.PortBindings[fmt.Sprintf("%d/tcp", p.Node)], func(b engine.PortBinding) bool { return b.HostPort == host })
}

// containersOf finds the containers that bear the cluster's name: those of the record,
// and those of somebody else.
func containersOf(ctx context.Context, e *engine.Engine, r Record) (ours, foreign []engine.Container, err error) {
	all, err := e.Containers(ctx, clusterLabel+"="+r.Config.Name)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range all {
		if r.made(c) {
			ours = append(ours, c)
		} else {
			foreign = append(foreign, c)
		}
	}
	return ours, foreign, nil
}

// removeNodes deletes exactly the containers of the record and tells, in out, which
// ones it left because they belong to somebody else.
func removeNodes(ctx context.Context, e *engine.Engine, r Record, out io.Writer) error {
	ours, foreign, err := containersOf(ctx, e, r)
	if err != nil {
		return err
	}
	for _, c := range foreign {
		fmt.Fprintf(out, "left alone: container %s (%.12s) bears the name of cluster %s but was not made for it\n", c.Name, c.ID, r.Config.Name)
	}
	ids := make([]string, len(ours))
	for i, c := range ours {
		ids[i] = c.ID
		fmt.Fprintf(out, "deleting node %s (%.12s)\n", c.Name, c.ID)
	}
	if err := e.RemoveContainers(ctx, ids...); err != nil {
		return err
	}
	// Also of a node whose container was not made any more.
	for i := range 1 + r.Config.Workers {
		if err := e.RemoveNodeVolumes(ctx, nodeName(r.Config.Name, i)); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes the nodes of one cluster and everything that speaks of it. It works
// on a context of its own, because it mostly runs when the run's has ended. The
// channel is closed when nothing can make nodes any more; nil means at once.
func remove(ctx context.Context, e *engine.Engine, r Record, leases Leases, creating <-chan struct{}, out io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), deleteTimeout, fmt.Errorf("not done within %s", deleteTimeout))
	defer cancel()
	if err := removeNodes(ctx, e, r, out); err != nil {
		return fmt.Errorf("delete cluster %s: %w", r.Config.Name, err)
	}
	if creating != nil {
		if err := outlast(ctx, creating, func() error { return removeNodes(ctx, e, r, out) }); err != nil {
			return fmt.Errorf("delete cluster %s: %w", r.Config.Name, err)
		}
	}
	return forget(r, leases)
}

// outlast repeats again until creating is closed, and does it once after that: kind's
// functions know no context, and a container that was being made when the run was
// stopped may appear after the others were deleted. On nodes that are gone, kind's
// commands fail, so that it ends soon.
func outlast(ctx context.Context, creating <-chan struct{}, again func() error) error {
	tick := time.NewTicker(5 * retryEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-creating:
			ended = true
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := again(); err != nil {
			return err
		}
	}
	return nil
}

// forget removes the kubeconfig, the record and the lease of a cluster that is gone.
// A record that a later claim put there stays, with its kubeconfig.
func forget(r Record, leases Leases) error {
	now, err := readRecord(r.State)
	if err == nil && (now == nil || now.Started.Equal(r.Started)) {
		for _, name := range []string{"kubeconfig", "kubeconfig.lock", recordFile + ".new", recordFile} {
			if removeErr := os.Remove(filepath.Join(r.State, name)); removeErr != nil && !os.IsNotExist(removeErr) {
				err = errors.Join(err, removeErr)
			}
		}
	}
	return errors.Join(err, leases.drop(r))
}
