package engine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Routed tells whether this machine reaches containers at their own addresses: the engine
// is a docker that runs here, and not in a virtual machine or without root, where
// containers have a network of their own. Podman counts as not routed.
func (e *Engine) Routed(ctx context.Context) (bool, error) {
	if e.Kind != Docker {
		return false, nil
	}
	here, err := os.Hostname()
	if err != nil {
		return false, fmt.Errorf("ask for this machine's name: %w", err)
	}
	out, err := e.Run(ctx, nil, "info", "--format", "{{.Name}}{{range .SecurityOptions}} {{.}}{{end}}")
	if err != nil {
		return false, fmt.Errorf("ask where the engine runs: %w", err)
	}
	// Such as "machine name=seccomp,profile=default name=rootless".
	words := strings.Fields(string(out))
	return len(words) > 0 && words[0] == here && !slices.Contains(words, "name=rootless"), nil
}
