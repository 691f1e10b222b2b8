package processing

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/adapters"
)

// held lets the creation wait until it is told to go on, so that the signals that come
// meanwhile are stored together.
type held struct {
	begun, goOn chan struct{}
	then        error // of the counts, if not nil
}

func (h *held) funcs(patches *atomic.Int32) interceptor.Funcs {
	h.begun, h.goOn = make(chan struct{}), make(chan struct{})
	return interceptor.Funcs{
		Create: func(ctx context.Context, inner client.WithWatch, object client.Object, options ...client.CreateOption) error {
			close(h.begun)
			<-h.goOn
			return inner.Create(ctx, object, options...)
		},
		SubResourcePatch: func(ctx context.Context, inner client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			if h.then != nil {
				return h.then
			}
			patches.Add(1)
			return inner.SubResource(sub).Patch(ctx, object, patch, options...)
		},
	}
}

// joined sends signals, of which the last ones are given up by their senders while the
// first is being stored, and returns what became of each.
func joined(t *testing.T, d *Deduplicator, h *held, signals, givenUp int) ([]Outcome, []error) {
	t.Helper()
	outcomes, errs := make([]Outcome, signals), make([]error, signals)
	gone, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	var group sync.WaitGroup
	send := func(ctx context.Context, i int) {
		group.Go(func() { outcomes[i], errs[i] = d.Record(ctx, podSignal()) })
	}
	send(t.Context(), 0)
	<-h.begun
	for i := 1; i < signals; i++ {
		if i >= signals-givenUp {
			send(gone, i)
		} else {
			send(t.Context(), i)
		}
	}
	for waiting := 0; waiting < signals-1; runtime.Gosched() {
		d.mu.Lock()
		waiting = len(d.queues[podSignal().Fingerprint()])
		d.mu.Unlock()
	}
	giveUp()
	close(h.goOn)
	group.Wait()
	return outcomes, errs
}

func TestSignalsThatComeMeanwhileShareOneWrite(t *testing.T) {
	var patches atomic.Int32
	h := &held{}
	server := apiServer(t, h.funcs(&patches))
	const signals, givenUp = 30, 7
	outcomes, errs := joined(t, replica(server, nil), h, signals, givenUp)
	numbers := map[int64]bool{}
	for i := range signals {
		if i >= signals-givenUp {
			if !errors.Is(errs[i], context.Canceled) {
				t.Errorf("signal %d was given up: %v", i, errs[i])
			}
			continue
		}
		if errs[i] != nil || outcomes[i].Created != (i == 0) {
			t.Errorf("signal %d: %+v, %v", i, outcomes[i], errs[i])
		}
		numbers[outcomes[i].Occurrences] = true
	}
	const accepted = signals - givenUp
	if status := requests(t, server)[0].Status.Deduplication; status.OccurrenceCount != accepted || patches.Load() != 1 {
		t.Errorf("counted %d of %d with %d writes, want 1", status.OccurrenceCount, accepted, patches.Load())
	}
	if len(numbers) != accepted || !numbers[1] || !numbers[accepted] {
		t.Errorf("numbers %v", numbers)
	}
}

func TestAFailedWriteIsToldToAllThatShareIt(t *testing.T) {
	var patches atomic.Int32
	h := &held{then: apierrors.NewForbidden(resource(), "x", errors.New("policy"))}
	server := apiServer(t, h.funcs(&patches))
	const signals = 10
	d := replica(server, nil)
	outcomes, errs := joined(t, d, h, signals, 0)
	if errs[0] != nil || !outcomes[0].Created {
		t.Errorf("first: %+v, %v", outcomes[0], errs[0])
	}
	for i := 1; i < signals; i++ {
		var failure *RecordError
		if !errors.As(errs[i], &failure) || !errors.Is(errs[i], h.then) || failure.Request != outcomes[0].Name || outcomes[i] != (Outcome{}) {
			t.Errorf("signal %d: %+v, %v", i, outcomes[i], errs[i])
		}
	}
	if got := requests(t, server)[0]; counted(&got) != 1 {
		t.Errorf("counted %d, want 1", counted(&got))
	}
	// The next one finds the queue empty, and no worker that died.
	h.then = nil
	if got := record(t, d, podSignal()); got.Occurrences != 2 {
		t.Errorf("then got %+v", got)
	}
}

// TestASharedWriteWithALostAnswerIsCountedOnce covers the signals that share it.
func TestASharedWriteWithALostAnswerIsCountedOnce(t *testing.T) {
	var patches, lost atomic.Int32
	h := &held{}
	funcs := h.funcs(&patches)
	patch := funcs.SubResourcePatch
	funcs.SubResourcePatch = func(ctx context.Context, inner client.Client, sub string, object client.Object, p client.Patch, options ...client.SubResourcePatchOption) error {
		err := patch(ctx, inner, sub, object, p, options...)
		if err == nil && lost.Add(1) == 1 {
			return &net.OpError{Op: "read", Err: syscall.ECONNRESET}
		}
		return err
	}
	server := apiServer(t, funcs)
	const signals = 10
	_, errs := joined(t, replica(server, nil), h, signals, 0)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if status := requests(t, server)[0].Status.Deduplication; status.OccurrenceCount != signals {
		t.Errorf("counted %d, want %d", status.OccurrenceCount, signals)
	}
}

func otherPod() adapters.Signal {
	signal := podSignal()
	signal.Target.Name = "cart-1"
	return signal
}

// waiting sends a signal of a known request for which there is no slot, and returns
// once its group has been taken and waits, with what tells the outcome.
func waiting(ctx context.Context, t *testing.T, d *Deduplicator, signal adapters.Signal) func() (Outcome, error) {
	t.Helper()
	var outcome Outcome
	var err error
	var group sync.WaitGroup
	group.Go(func() { outcome, err = d.Record(ctx, signal) })
	for taken := false; !taken; runtime.Gosched() {
		d.mu.Lock()
		queue, running := d.queues[signal.Fingerprint()]
		taken = running && len(queue) == 0
		d.mu.Unlock()
	}
	return func() (Outcome, error) {
		group.Wait()
		return outcome, err
	}
}

func TestSignalsGatherWhileTheirGroupWaitsForItsTurn(t *testing.T) {
	var patches atomic.Int32
	server := apiServer(t, interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, inner client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			patches.Add(1)
			return inner.SubResource(sub).Patch(ctx, object, patch, options...)
		},
	})
	d := replica(server, nil)
	d.slots = newSlots(1)
	record(t, d, podSignal())
	patches.Store(0)
	if err := d.slots.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	first := waiting(gone, t, d, podSignal())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := d.Record(t.Context(), podSignal()); err != nil {
				t.Error(err)
			}
		})
	}
	for queued := 0; queued < 4; runtime.Gosched() {
		d.mu.Lock()
		queued = len(d.queues[podSignal().Fingerprint()])
		d.mu.Unlock()
	}
	// The one that was taken first gives up, and is not counted. A new request needs
	// no turn.
	giveUp()
	if _, err := first(); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if got := record(t, d, otherPod()); !got.Created {
		t.Errorf("got %+v", got)
	}
	patches.Store(0)
	d.slots.release()
	group.Wait()
	for _, request := range requests(t, server) {
		if request.Spec.SignalFingerprint == podSignal().Fingerprint() && request.Status.Deduplication.OccurrenceCount != 5 {
			t.Errorf("counted %d, want 5", request.Status.Deduplication.OccurrenceCount)
		}
	}
	if patches.Load() != 1 {
		t.Errorf("%d writes, want 1", patches.Load())
	}
	// The turn is given back, though only after those that waited have their answer.
	if err := d.slots.acquire(t.Context()); err != nil {
		t.Errorf("the turn is still taken: %v", err)
	}
}

func TestATurnThatNeverComesEndsWithTheTimeout(t *testing.T) {
	server := apiServer(t, interceptor.Funcs{})
	d := replica(server, nil)
	d.slots = newSlots(1)
	record(t, d, podSignal())
	if err := d.slots.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.options.Timeout = 20 * time.Millisecond
	_, err := d.Record(t.Context(), podSignal())
	var failure *RecordError
	if !errors.As(err, &failure) || !errors.Is(err, context.DeadlineExceeded) || ErrorType(err) != "timeout" {
		t.Errorf("got %v", err)
	}
	d.slots.release()
	if got := record(t, d, podSignal()); got.Occurrences != 2 {
		t.Errorf("then got %+v", got)
	}
}
