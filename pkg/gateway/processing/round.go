package processing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

// Pauses after another replica was faster. They are short, because a loser needs
// only one more read, and random, because losers must not meet again.
const (
	firstConflictPause = 5 * time.Millisecond
	maxConflictPause   = 250 * time.Millisecond
)

// round stores one group of signals of a fingerprint. It goes over the group until
// each signal is counted; what other replicas do in between only makes it look again.
type round struct {
	deduplicator *Deduplicator
	fingerprint  string
	waiting      []*waiter // not answered yet
	request      string    // name of the latest request that was tried
}

// errBeaten marks that something else changed the request first: it was created,
// counted, ended or deleted meanwhile. Looking again settles it.
var errBeaten = errors.New("the request changed meanwhile")

// run answers all waiting signals, or returns why the rest cannot be stored.
func (r *round) run(ctx context.Context) error {
	if err := r.countHinted(ctx); err != nil && !errors.Is(err, errBeaten) {
		return err
	}
	pause := firstConflictPause
	for len(r.waiting) > 0 {
		err := r.attempt(ctx)
		if err == nil {
			continue
		}
		if !errors.Is(err, errBeaten) || wait(ctx, spread(pause, 0.5)) != nil {
			return err
		}
		pause = min(2*pause, maxConflictPause)
	}
	return nil
}

// countHinted counts the waiting signals in the request that is known to be open, if
// any. What comes while they wait for their turn is counted with them.
func (r *round) countHinted(ctx context.Context) error {
	d := r.deduplicator
	if r.hinted(ctx) == nil {
		return nil
	}
	if err := d.slots.acquire(ctx); err != nil {
		return fmt.Errorf("wait for a turn to count: %w", err)
	}
	defer d.slots.release()
	r.waiting = awaited(append(r.waiting, d.takeMore(r.fingerprint)...))
	active := r.hinted(ctx)
	if active == nil || len(r.waiting) == 0 {
		return nil
	}
	return r.increment(ctx, active)
}

// hinted returns the open request that the cache or this replica's own latest write
// tells of, if any. It may be out of date: its version is what the write is checked
// against.
func (r *round) hinted(ctx context.Context) *v1alpha1.RemediationRequest {
	d := r.deduplicator
	var known v1alpha1.RemediationRequestList
	if d.hint != nil {
		// A cache that cannot be read knows nothing.
		if d.hint.List(ctx, &known, client.MatchingFields{v1alpha1.SignalFingerprintField: r.fingerprint}) != nil {
			known.Items = nil
		}
	}
	return open(d.written.overlay(r.fingerprint, known.Items))
}

// attempt reads the requests from the API server and counts or creates.
func (r *round) attempt(ctx context.Context) error {
	d := r.deduplicator
	var existing v1alpha1.RemediationRequestList
	// All namespaces are read: the request of a target may be in the fallback one.
	err := d.options.Retry.Do(ctx, func(ctx context.Context) error {
		return d.live.List(ctx, &existing, client.MatchingFields{v1alpha1.SignalFingerprintField: r.fingerprint})
	})
	if err != nil {
		return fmt.Errorf("list the requests of the fingerprint: %w", err)
	}
	if active := open(existing.Items); active != nil {
		return r.increment(ctx, active)
	}
	created, err := r.create(ctx, nextName(r.fingerprint, existing.Items))
	if err != nil {
		return err
	}
	// The request stands for the signal that created it, without a count.
	d.written.remember(r.fingerprint, created)
	answer(r.waiting[:1], created, 1, true)
	r.waiting = r.waiting[1:]
	if len(r.waiting) == 0 {
		return nil
	}
	return r.increment(ctx, created)
}

// open returns the request that is not over. Should there be more than one, all
// replicas choose the oldest.
func open(requests []v1alpha1.RemediationRequest) *v1alpha1.RemediationRequest {
	var oldest *v1alpha1.RemediationRequest
	for i := range requests {
		candidate := &requests[i]
		if candidate.Status.OverallPhase.Terminal() {
			continue
		}
		if oldest == nil || older(candidate, oldest) {
			oldest = candidate
		}
	}
	return oldest
}

func older(a, b *v1alpha1.RemediationRequest) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
}

// create makes the request, in the fallback namespace if need be.
func (r *round) create(ctx context.Context, name string) (*v1alpha1.RemediationRequest, error) {
	d := r.deduplicator
	creationID := uuid.NewString()
	request := newRequest(r.waiting[0].signal, r.fingerprint, name, creationID)
	r.request = name
	err := r.createOnce(ctx, request, creationID)
	if namespaceUnusable(err) && d.options.FallbackNamespace != "" {
		d.logger.WarnContext(ctx, "the namespace of the target cannot take the request, using the fallback",
			"namespace", request.Namespace, "fallback", d.options.FallbackNamespace, "request", name)
		moveTo(d.options.FallbackNamespace, request)
		err = r.createOnce(ctx, request, creationID)
	}
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", client.ObjectKeyFromObject(request), err)
	}
	return request, nil
}

// createOnce creates the request, however often it has to ask. When a repeated
// call meets the request that an earlier, unanswered call made, that is success.
func (r *round) createOnce(ctx context.Context, request *v1alpha1.RemediationRequest, creationID string) error {
	d := r.deduplicator
	err := d.options.Retry.Do(ctx, func(ctx context.Context) error {
		request.ResourceVersion = ""
		return d.live.Create(ctx, request)
	})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	existing, readErr := r.read(ctx, request)
	if readErr != nil || existing.Annotations[v1alpha1.AnnotationCreationID] != creationID {
		return fmt.Errorf("%w: %w", errBeaten, err)
	}
	existing.DeepCopyInto(request)
	return nil
}

// read finds the request as it is now in the API server. It lists, as attempt does,
// so that the Gateway needs one permission less.
func (r *round) read(ctx context.Context, request *v1alpha1.RemediationRequest) (*v1alpha1.RemediationRequest, error) {
	d := r.deduplicator
	var existing v1alpha1.RemediationRequestList
	err := d.options.Retry.Do(ctx, func(ctx context.Context) error {
		return d.live.List(ctx, &existing, client.InNamespace(request.Namespace),
			client.MatchingFields{v1alpha1.SignalFingerprintField: r.fingerprint})
	})
	if err != nil {
		return nil, err
	}
	for i := range existing.Items {
		if existing.Items[i].Name == request.Name {
			return &existing.Items[i], nil
		}
	}
	return nil, apierrors.NewNotFound(v1alpha1.GroupVersion().WithResource("remediationrequests").GroupResource(), request.Name)
}

// increment counts all waiting signals in the request with one write. The write
// holds only if the request has not changed since it was read.
func (r *round) increment(ctx context.Context, request *v1alpha1.RemediationRequest) error {
	d := r.deduplicator
	r.request = request.Name
	before, writeID := counted(request), uuid.NewString()
	lastSeen := request.Spec.ReceivedTime.Time
	for _, one := range r.waiting {
		if one.signal.ReceivedTime.After(lastSeen) {
			lastSeen = one.signal.ReceivedTime
		}
	}
	patch, err := countPatch(request, before+int64(len(r.waiting)), lastSeen, writeID)
	if err != nil {
		return fmt.Errorf("count in %s: %w", client.ObjectKeyFromObject(request), err)
	}
	updated := &v1alpha1.RemediationRequest{}
	err = d.options.Retry.Do(ctx, func(ctx context.Context) error {
		updated = &v1alpha1.RemediationRequest{ObjectMeta: metav1.ObjectMeta{Name: request.Name, Namespace: request.Namespace}}
		return d.live.Status().Patch(ctx, updated, patch)
	})
	if apierrors.IsConflict(err) {
		// The conflicting change may be this round's own write, whose answer was lost
		// on the way.
		current, readErr := r.read(ctx, request)
		if readErr == nil && current.Status.Deduplication != nil && current.Status.Deduplication.LastWriteID == writeID {
			updated, err = current, nil
		}
	}
	if err != nil {
		d.written.forget(r.fingerprint)
	}
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		err = fmt.Errorf("%w: %w", errBeaten, err)
	}
	if err != nil {
		return fmt.Errorf("count in %s: %w", client.ObjectKeyFromObject(request), err)
	}
	d.written.remember(r.fingerprint, updated)
	answer(r.waiting, request, before+1, false)
	r.waiting = nil
	return nil
}

// answer tells the signals where they were recorded; their numbers go up from
// first.
func answer(signals []*waiter, request *v1alpha1.RemediationRequest, first int64, created bool) {
	for i, one := range signals {
		one.result = Outcome{
			Created: created, Name: request.Name, Namespace: request.Namespace, Occurrences: first + int64(i),
			Fallback: request.Labels[v1alpha1.LabelClusterScoped] == "true",
		}
		close(one.done)
	}
}
