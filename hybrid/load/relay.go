package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// relay saves images once and hands the archive, without the layers that known gives, to
// every sink at the same time. known is asked while the engine prepares the archive. It
// returns the bytes that each sink got, and those of the layers left out.
//
// The pipes are the system's, so that the engine's clients write and read them by
// themselves: with pipes of this program a save takes an eighth longer.
func relay(ctx context.Context, e *engine.Engine, refs []string, log io.Writer,
	known func(context.Context) (map[string]digest.Digest, error), sinks ...func(ctx context.Context, archive io.Reader) error,
) (sent, left int64, err error) {
	saved, save, err := os.Pipe()
	readers, writers := []*os.File{saved}, []*os.File{save}
	for range sinks {
		r, w, openErr := os.Pipe()
		readers, writers, err = append(readers, r), append(writers, w), errors.Join(err, openErr)
	}
	if err != nil {
		closeAll(append(readers, writers...))
		return 0, 0, fmt.Errorf("open pipes for images: %w", err)
	}
	// Whoever fails says so before its ends are closed: what the others meet then is not
	// the cause.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var parts sync.WaitGroup
	start := func(part func() error, ends ...*os.File) {
		parts.Go(func() {
			if err := part(); err != nil {
				fail(err)
			}
			closeAll(ends)
		})
	}
	start(func() error { return Save(ctx, e, refs, save, log) }, save)
	outs := make([]io.Writer, len(sinks))
	for i, sink := range sinks {
		outs[i] = writers[1+i]
		start(func() error { return sink(ctx, readers[1+i]) }, readers[1+i])
	}
	counter := &Counter{W: io.MultiWriter(outs...)}
	start(func() error {
		leave, err := known(ctx)
		if err == nil {
			left, err = convert(saved, counter, refs, leave)
		}
		return err
	}, append(writers[1:], saved)...)
	parts.Wait()
	return counter.N, left, context.Cause(ctx)
}

// closeAll closes files of which nothing is lost by that; those that were not opened are nil.
func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// Counter counts the bytes that go to a writer.
type Counter struct {
	W io.Writer
	N int64
}

func (c *Counter) Write(p []byte) (int, error) {
	n, err := c.W.Write(p)
	c.N += int64(n)
	return n, err
}
