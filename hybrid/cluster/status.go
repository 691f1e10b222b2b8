package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// sizeTimeout bounds the question how much disk volumes take. An engine with few of
// them answers in 0.2 s; one with many must not hold up the rest.
const sizeTimeout = 1200 * time.Millisecond

// Status is what there is to say about one cluster.
type Status struct {
	Name  string `json:"name"`
	Suite string `json:"suite"`
	// Checkout is the path of the repository; Own tells whether it is this one, Gone
	// whether it is no longer there.
	Checkout string   `json:"checkout"`
	Own      bool     `json:"own"`
	Gone     bool     `json:"checkout_gone"`
	Standing Standing `json:"standing"`
	// Owner is the run that made or reused it last.
	Owner Owner `json:"owner"`
	// Created, LastUsed and Expires are those of the record.
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used,omitzero"`
	Expires  time.Time `json:"expires,omitzero"`
	// Kept says that it outlives its run.
	Kept  bool         `json:"kept"`
	Nodes []NodeStatus `json:"nodes"`
	// Bytes is what all nodes take on disk, images of the engine not counted. Nil
	// means that the engine does not tell, or not in time.
	Bytes *int64 `json:"bytes"`
}

// Owner is a process that had a cluster.
type Owner struct {
	PID   int  `json:"pid"`
	Alive bool `json:"alive"`
}

// NodeStatus is the state of a node's container.
type NodeStatus struct {
	Node
	// State is the engine's word for it, such as running, exited or paused; gone when
	// there is no such container, and unknown when the engine does not answer.
	State string `json:"state"`
}

// Status tells of all clusters of the checkout, and of those of the user's other
// checkouts. What could be found out is told even when there is an error.
func (v Inventory) Status(ctx context.Context) ([]Status, error) {
	own, leaseErr, err := v.own()
	errs := []error{leaseErr, err}
	leases, _ := v.Leases.list() // What cannot be read has been told by own.
	records := slices.Concat(own, slices.DeleteFunc(leases, func(l Record) bool { return l.Checkout == v.Checkout }))
	views := map[string]view{}
	list := make([]Status, 0, len(records))
	for _, r := range records {
		seen, ok := views[r.Engine]
		if !ok {
			if seen, err = look(ctx, v, r.Engine); err != nil {
				errs = append(errs, fmt.Errorf("ask %s for its containers: %w", r.Engine, err))
			}
			views[r.Engine] = seen
		}
		list = append(list, v.status(r, seen))
	}
	return list, errors.Join(errs...)
}

// view is what one engine says.
type view struct {
	// known is false when it did not answer.
	known      bool
	containers []engine.Container
	// volumes are sizes in bytes; nil when they are not known.
	volumes map[string]int64
}

// look asks the engine for containers and sizes at the same time.
func look(ctx context.Context, v Inventory, kind string) (view, error) {
	e, err := v.engine(ctx, kind)
	if err != nil {
		return view{}, err
	}
	var seen view
	var both sync.WaitGroup
	both.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, sizeTimeout)
		defer cancel()
		if sizes, err := e.VolumeSizes(ctx); err == nil {
			seen.volumes = sizes
		}
	})
	seen.containers, err = e.SizedContainers(ctx, clusterLabel)
	seen.known = err == nil
	both.Wait()
	return seen, err
}

func (v Inventory) status(r Record, seen view) Status {
	_, err := os.Stat(r.Checkout)
	s := Status{
		Name: r.Config.Name, Suite: r.Suite, Checkout: r.Checkout, Own: r.Checkout == v.Checkout, Gone: os.IsNotExist(err),
		Standing: r.Standing(v.Now()), Owner: Owner{PID: r.Owner.PID, Alive: r.Owner.Alive()},
		Created: r.Started, LastUsed: r.LastUsed, Expires: r.Expires, Kept: r.Keep && r.Ready,
		Nodes: []NodeStatus{},
	}
	var total int64
	sized := seen.known
	for _, c := range seen.containers {
		if c.Config.Labels[clusterLabel] != r.Config.Name || !r.made(c) {
			continue
		}
		s.Nodes = append(s.Nodes, NodeStatus{Node{c.Name, c.ID}, c.State.Status})
		size, ok := seen.size(c)
		total, sized = total+size, sized && ok
	}
	for _, n := range r.Nodes {
		if !slices.ContainsFunc(s.Nodes, func(x NodeStatus) bool { return x.ID == n.ID }) {
			state := "gone"
			if !seen.known {
				state = "unknown"
			}
			s.Nodes = append(s.Nodes, NodeStatus{n, state})
		}
	}
	if sized {
		s.Bytes = &total
	}
	return s
}

// size is what a container takes on disk: its own layer and its volumes, in which
// the node keeps images and containers of its own.
func (seen view) size(c engine.Container) (bytes int64, ok bool) {
	if c.SizeRw == nil || seen.volumes == nil {
		return 0, false
	}
	bytes = *c.SizeRw
	for _, m := range c.Mounts {
		if m.Type != "volume" {
			continue
		}
		size, known := seen.volumes[m.Name]
		if !known {
			return 0, false
		}
		bytes += size
	}
	return bytes, true
}

// Table is the list as text for a terminal: a line for each cluster, columns aligned.
func Table(list []Status, now time.Time) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLUSTER\tSUITE\tCHECKOUT\tAGE\tOWNER\tEXPIRES\tNODES\tDISK")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, cmp.Or(s.Suite, "?"), s.place(), span(now.Sub(s.Created)), s.owner(), s.end(now), s.nodes(), s.disk())
	}
	_ = w.Flush() // A strings.Builder takes everything.
	return b.String()
}

func (s Status) place() string {
	switch {
	case s.Own:
		return s.Checkout + " (this one)"
	case s.Gone:
		return s.Checkout + " (gone)"
	}
	return s.Checkout
}

func (s Status) owner() string {
	switch s.Standing {
	case InUse:
		return fmt.Sprintf("process %d, alive", s.Owner.PID)
	case Orphaned:
		return fmt.Sprintf("process %d, gone", s.Owner.PID)
	case Elsewhere:
		return fmt.Sprintf("process %d, elsewhere", s.Owner.PID)
	}
	return "kept"
}

func (s Status) end(now time.Time) string {
	switch {
	case s.Standing == Orphaned:
		return "now"
	case !s.Kept:
		return "with its run"
	case s.Expires.IsZero():
		return "never"
	case now.After(s.Expires):
		return span(now.Sub(s.Expires)) + " ago"
	}
	return "in " + span(s.Expires.Sub(now))
}

// nodes counts the nodes by state, in the order in which states first occur.
func (s Status) nodes() string {
	var states []string
	count := map[string]int{}
	for _, n := range s.Nodes {
		if count[n.State]++; count[n.State] == 1 {
			states = append(states, n.State)
		}
	}
	if len(states) == 0 {
		return "none"
	}
	for i, state := range states {
		states[i] = fmt.Sprintf("%d %s", count[state], state)
	}
	return strings.Join(states, ", ")
}

func (s Status) disk() string {
	if s.Bytes == nil {
		return "unknown"
	}
	return fmt.Sprintf("%d MB", *s.Bytes/1e6)
}
