package speed

import (
	"context"
	"errors"
	"testing"
)

func TestInterruptibleReturnsWhatTheCallDoes(t *testing.T) {
	want := errors.New("no room")
	takeAway := func() error {
		t.Error("something was taken away")
		return nil
	}
	for _, want := range []error{nil, want} {
		if err := interruptible(t.Context(), func() error { return want }, takeAway); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
}

// TestInterruptibleTakesAwayUntilTheCallEnds has a call that makes what it works on
// after the first attempt to take it away.
func TestInterruptibleTakesAwayUntilTheCallEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	gone, times := make(chan struct{}), 0
	err := interruptible(ctx, func() error {
		cancel(stopped)
		<-gone
		return errors.New("no such container")
	}, func() error {
		if times++; times == 2 {
			close(gone)
		}
		return nil
	})
	if !errors.Is(err, stopped) || times != 2 {
		t.Errorf("error %v after %d times, want %v after 2", err, times, stopped)
	}
}
