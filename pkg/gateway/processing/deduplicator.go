package processing

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/adapters"
)

// Outcome says where a signal was recorded.
type Outcome struct {
	// Created is true for the signal that opened the request.
	Created   bool
	Name      string
	Namespace string
	// Occurrences is this signal's own number among those of the request, from 1.
	Occurrences int64
	// Fallback tells that the request is not in its target's namespace.
	Fallback bool
}

// Options configure a Deduplicator.
type Options struct {
	// FallbackNamespace takes requests whose own namespace does not exist.
	FallbackNamespace string
	Retry             Retry
	// Timeout bounds the work on the signals that are recorded together.
	Timeout time.Duration
}

// Deduplicator records signals. Make one with New; it is safe for concurrent use.
type Deduplicator struct {
	live    client.Client
	hint    client.Reader
	options Options
	logger  *slog.Logger
	written *written
	slots   slots

	mu     sync.Mutex
	queues map[string][]*waiter // by fingerprint; present while a worker runs
}

// waiter is one signal whose sender waits for the answer.
type waiter struct {
	signal    adapters.Signal
	abandoned <-chan struct{} // closed when the sender no longer waits
	done      chan struct{}   // closed when result or err is set
	result    Outcome
	err       error
}

// New makes a Deduplicator. The live client must not read from a cache. The hint
// is a cache of requests, indexed by v1alpha1.SignalFingerprintField; it may be
// stale, and nil means that there is none.
func New(live client.Client, hint client.Reader, options Options, logger *slog.Logger) *Deduplicator {
	return &Deduplicator{
		live: live, hint: hint, options: options, logger: logger,
		written: newWritten(maxWritten), slots: newSlots(maxCounts), queues: make(map[string][]*waiter),
	}
}

// Record stores the signal and returns once the API server has confirmed it: the
// signal is then counted exactly once. The error is a *RecordError, or the reason why
// ctx ended; the signal may be counted in spite of the latter.
//
// Signals of one fingerprint that arrive while an earlier one is being stored are
// stored together afterwards, so that a storm costs a few writes per replica
// instead of one conflict per signal. So are those that arrive while their group waits
// for its turn to be counted.
func (d *Deduplicator) Record(ctx context.Context, signal adapters.Signal) (Outcome, error) {
	one := &waiter{signal: signal, abandoned: ctx.Done(), done: make(chan struct{})}
	d.enqueue(ctx, signal.Fingerprint(), one)
	select {
	case <-one.done:
		return one.result, one.err
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
}

func (d *Deduplicator) enqueue(ctx context.Context, fingerprint string, one *waiter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	queue, running := d.queues[fingerprint]
	d.queues[fingerprint] = append(queue, one)
	if !running {
		// The worker must not end because the sender that started it went away; the
		// request id of that sender is kept for the logs.
		go d.work(context.WithoutCancel(ctx), fingerprint)
	}
}

// storeEvery is the least time between the beginnings of two writes about the same
// problem. A write that follows at once has few signals to store, and costs as much.
const storeEvery = 20 * time.Millisecond

// work stores the signals of one fingerprint until none waits.
func (d *Deduplicator) work(ctx context.Context, fingerprint string) {
	for {
		group := d.take(fingerprint)
		if group == nil {
			return
		}
		begun := time.Now()
		d.store(ctx, fingerprint, group)
		_ = wait(ctx, storeEvery-time.Since(begun)) // ctx has no end.
	}
}

// take removes all signals that wait. With none left it ends the worker, under
// the same lock, so that no signal is left behind.
func (d *Deduplicator) take(fingerprint string) []*waiter {
	d.mu.Lock()
	defer d.mu.Unlock()
	group := d.queues[fingerprint]
	if len(group) == 0 {
		delete(d.queues, fingerprint)
		return nil
	}
	d.queues[fingerprint] = nil
	return group
}

// takeMore removes the signals that came since take; the worker goes on.
func (d *Deduplicator) takeMore(fingerprint string) []*waiter {
	d.mu.Lock()
	defer d.mu.Unlock()
	group := d.queues[fingerprint]
	d.queues[fingerprint] = nil
	return group
}

func (d *Deduplicator) store(ctx context.Context, fingerprint string, group []*waiter) {
	group = awaited(group)
	if len(group) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	round := &round{deduplicator: d, fingerprint: fingerprint, waiting: group}
	if err := round.run(ctx); err != nil {
		failure := &RecordError{Request: round.request, Err: err}
		for _, one := range round.waiting {
			one.err = failure
			close(one.done)
		}
	}
}

// awaited drops the signals whose senders no longer wait: nothing was stored for
// them, and they have not been accepted.
func awaited(group []*waiter) []*waiter {
	kept := group[:0]
	for _, one := range group {
		select {
		case <-one.abandoned:
			one.err = context.Canceled
			close(one.done)
		default:
			kept = append(kept, one)
		}
	}
	return kept
}
