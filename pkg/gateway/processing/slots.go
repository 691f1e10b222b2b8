package processing

import "context"

// maxCounts bounds how many requests a replica counts in at a time.
const maxCounts = 8

// slots bounds what is done at a time. The API server shares its processors among all
// calls that it has: with a call for each of twenty requests every call takes as long as
// all twenty. With a few at a time a call is short, and signals wait where those of one
// request gather into one call, instead of behind it.
type slots chan struct{}

func newSlots(n int) slots { return make(slots, n) }

// acquire waits for a slot, in the order of the calls, or until ctx ends.
func (s slots) acquire(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s slots) release() { <-s }
