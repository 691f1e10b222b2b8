package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// cleanUpTimeout bounds what is removed after an interruption.
const cleanUpTimeout = 10 * time.Second

// BakeOptions say what a container turns one image into.
type BakeOptions struct {
	// From is the image that the container runs, To the reference of what becomes of
	// it.
	From, To string
	// Shell are the arguments of /bin/sh, which does the work. It has a volume at
	// /store, which is not part of the result, and no network. Podman notes the place
	// in the result, so that each container of it has an empty volume there.
	Shell []string
	// Stdin is its standard input.
	Stdin io.Reader
	// Changes are Dockerfile instructions for the result, such as its ENTRYPOINT.
	Changes []string
	// Purpose is part of the container's name, such as "import".
	Purpose string
	// Log receives what it prints; nil discards it.
	Log io.Writer
}

// Bake runs a shell in a privileged container and makes an image of what it leaves
// behind. The container is removed in every case.
func (e *Engine) Bake(ctx context.Context, b BakeOptions) (err error) {
	// A label would get into the image, and from there into every container of it.
	container := "hybrid-node-" + b.Purpose + "-" + e.Mark + strings.ToLower(rand.Text()[:8])
	defer func() {
		// A run that was interrupted early has no container to remove, and its own
		// error says more.
		if cleanErr := e.removeContainer(ctx, container); err == nil {
			err = cleanErr
		}
	}()
	c := e.Command(b.Log, append([]string{
		"run", "--name", container, "--privileged", "--network", "none", "--interactive",
		"--mount", "type=volume,destination=/store", "--entrypoint", "/bin/sh", b.From,
	}, b.Shell...)...)
	c.Stdin = b.Stdin
	if _, err := e.Runner.Run(ctx, c); err != nil {
		return err
	}
	commit := []string{"commit"}
	for _, change := range b.Changes {
		commit = append(commit, "--change", change)
	}
	if _, err := e.Run(ctx, b.Log, append(commit, container, b.To)...); err != nil {
		return fmt.Errorf("commit %s: %w", b.To, err)
	}
	return nil
}

// removeContainer removes a container with its volumes, even when ctx has ended.
func (e *Engine) removeContainer(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), cleanUpTimeout, errors.New("not removed within "+cleanUpTimeout.String()))
	defer cancel()
	if _, err := e.Run(ctx, nil, e.removal(name)...); err != nil {
		return fmt.Errorf("remove the container %s: %w", name, err)
	}
	return nil
}
