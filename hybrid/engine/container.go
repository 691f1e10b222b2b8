package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Container is what the engine knows about a container.
type Container struct {
	ID      string `json:"Id"`
	Name    string
	Created time.Time
	State   struct {
		// Status is created, running, paused, restarting, removing, exited or dead.
		Status string
	}
	Config struct {
		Labels map[string]string
	}
	HostConfig struct {
		// PortBindings maps a container's port, such as 80/tcp, to those of the host.
		PortBindings map[string][]PortBinding
	}
	Mounts []Mount
	// SizeRw is what the container wrote to its own layer, in bytes; nil unless it
	// was asked for.
	SizeRw *int64
}

// PortBinding is a port of the host.
type PortBinding struct {
	HostPort string
}

// Mount is what a container sees of the host.
type Mount struct {
	// Type is bind or volume.
	Type string
	// Name is the volume's; empty for other types.
	Name string
	// Source is the folder of the host.
	Source      string
	Destination string
}

// Containers finds containers, stopped ones too, by a label: its key, or key=value.
// They are sorted by name.
func (e *Engine) Containers(ctx context.Context, label string) ([]Container, error) {
	return e.containers(ctx, "label="+label)
}

// MarkedContainers finds the containers that were made for a moment by the run with
// this mark, stopped ones too.
func (e *Engine) MarkedContainers(ctx context.Context, mark string) ([]Container, error) {
	return e.containers(ctx, "name="+mark)
}

// SizedContainers is Containers with the sizes of their own layers.
func (e *Engine) SizedContainers(ctx context.Context, label string) ([]Container, error) {
	return e.containers(ctx, "label="+label, "--size")
}

func (e *Engine) containers(ctx context.Context, filter string, inspect ...string) ([]Container, error) {
	out, err := e.Run(ctx, nil, "ps", "--all", "--quiet", "--no-trunc", "--filter", filter)
	if err != nil {
		return nil, fmt.Errorf("list the containers with %s: %w", filter, err)
	}
	ids := strings.Fields(string(out))
	if len(ids) == 0 {
		return nil, nil
	}
	// The client exits 1 when one has gone meanwhile, yet prints the others.
	out, err = e.Run(ctx, nil, slices.Concat([]string{"container", "inspect"}, inspect, ids)...)
	var found []Container
	if jsonErr := json.Unmarshal(out, &found); jsonErr != nil {
		return nil, errors.Join(err, fmt.Errorf("read what the engine says of its containers: %w", jsonErr))
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	for i := range found {
		found[i].Name = strings.TrimPrefix(found[i].Name, "/")
	}
	slices.SortFunc(found, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// RemoveContainers stops and removes the containers with these ids, with the
// volumes that have no name. One that has gone already is no error.
func (e *Engine) RemoveContainers(ctx context.Context, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := e.Run(ctx, nil, e.removal(ids...)...)
	if err == nil {
		return nil
	}
	// Some versions fail for one that is gone; what counts is whether any is left.
	out, listErr := e.Run(ctx, nil, "ps", "--all", "--quiet", "--no-trunc")
	if listErr != nil {
		return errors.Join(err, listErr)
	}
	if left := strings.Fields(string(out)); !slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(left, id) }) {
		return nil
	}
	return fmt.Errorf("remove containers: %w", err)
}

// removal are the arguments that remove containers at once.
func (e *Engine) removal(names ...string) []string {
	args := []string{"rm", "--force", "--volumes"}
	if e.Kind == Podman {
		// It would let each have 10 s to stop, and fail for one that is gone.
		args = append(args, "--time", "0", "--ignore")
	}
	return append(args, names...)
}

// RemoveNodeVolumes removes the volume that kind makes for a node of podman's and names in
// its label, unless a container uses it. With other engines it goes with the container.
func (e *Engine) RemoveNodeVolumes(ctx context.Context, node string) error {
	if e.Kind != Podman {
		return nil
	}
	out, err := e.Run(ctx, nil, "volume", "ls", "--quiet", "--filter", "label="+node, "--filter", "dangling=true")
	if err != nil {
		return fmt.Errorf("list the volumes of node %s: %w", node, err)
	}
	volumes := strings.Fields(string(out))
	if len(volumes) == 0 {
		return nil
	}
	if _, err := e.Run(ctx, nil, append([]string{"volume", "rm"}, volumes...)...); err != nil {
		return fmt.Errorf("remove the volumes of node %s: %w", node, err)
	}
	return nil
}
