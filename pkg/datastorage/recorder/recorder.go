package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

// Status says who has the events.
type Status string

const (
	// Stored means that PostgreSQL has them.
	Stored Status = "stored"
	// Queued means that Redis has them until PostgreSQL can take them.
	Queued Status = "queued"
)

// ErrUnavailable says that neither store took the events. The sender has to try
// again; nothing was accepted.
var ErrUnavailable = errors.New("neither PostgreSQL nor the queue took the events")

// RefusedError says that PostgreSQL can never store one of the events.
type RefusedError struct {
	// Index of the first such event, or -1 if it could not be found out.
	Index int
	Err   error
}

// Error words the refusal for the log.
func (e *RefusedError) Error() string { return fmt.Sprintf("event %d: %v", e.Index, e.Err) }

// Unwrap returns the refusal of the store.
func (e *RefusedError) Unwrap() error { return e.Err }

// Storer is PostgreSQL.
type Storer interface {
	Insert(ctx context.Context, events []event.Event) (int64, error)
	FirstRejected(ctx context.Context, events []event.Event) (int, error)
	State() store.State
}

// Queuer is the reserve.
type Queuer interface {
	Add(ctx context.Context, events []event.Event) error
	// Holds reports whether an event of one of the correlations waits.
	Holds(ctx context.Context, correlations []string) (bool, error)
	// Empty reports, without a look, whether no event is known to wait.
	Empty() bool
	// Down reports whether it did not answer when it was asked with patience.
	Down() bool
}

// Options bound one write: the longest time to an answer is the sum, and lookTimeout
// before it.
type Options struct {
	StoreTimeout, QueueTimeout time.Duration
}

// Recorder writes events.
type Recorder struct {
	storer  Storer
	queuer  Queuer
	options Options
	log     *slog.Logger
}

// New returns a Recorder.
func New(storer Storer, queuer Queuer, options Options, log *slog.Logger) *Recorder {
	return &Recorder{storer: storer, queuer: queuer, options: options, log: log.With("component", "recorder")}
}

// Outcome is a write that was accepted.
type Outcome struct {
	Status Status
	// Fresh is the number of events that were not stored before. It is known only
	// for Stored.
	Fresh int64
}

// Record hands over events, all or none.
//
// While PostgreSQL is known to be down, nothing waits for it. While the queue still
// holds older events, new ones go straight to PostgreSQL, because queueing behind a
// backlog would only make the backlog longer; but an event never overtakes one of its
// own correlation, so that a reader who sees an event sees all that were accepted
// before it.
//
// A timeout of PostgreSQL does not say whether the events were stored. Queueing them
// is right in both cases, because storing is idempotent. The same holds for a queue
// that does not say whether it took them.
func (r *Recorder) Record(ctx context.Context, events []event.Event) (Outcome, error) {
	if !r.storer.State().Up {
		return r.enqueue(ctx, events, errDown)
	}
	behind, doubt := r.behind(ctx, events)
	if behind {
		return r.enqueue(ctx, events, errBehind)
	}
	if doubt != nil {
		var outcome Outcome
		if outcome, doubt = r.enqueue(ctx, events, doubt); doubt == nil {
			return outcome, nil
		}
	}
	fresh, err := r.insert(ctx, events)
	if err == nil {
		return Outcome{Status: Stored, Fresh: fresh}, nil
	}
	if rejected := (*store.RejectedError)(nil); errors.As(err, &rejected) {
		return Outcome{}, r.refused(ctx, events, rejected)
	}
	if doubt != nil {
		return Outcome{}, errors.Join(doubt, err)
	}
	r.log.WarnContext(ctx, "PostgreSQL did not take the events, queueing them", "count", len(events), "error", err.Error())
	return r.enqueue(ctx, events, err)
}

var (
	errDown   = errors.New("PostgreSQL is known to be down")
	errBehind = errors.New("older events of the same correlation wait in the queue")
)

// enqueue hands the events to the queue, because of reason.
func (r *Recorder) enqueue(ctx context.Context, events []event.Event, reason error) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, r.options.QueueTimeout)
	defer cancel()
	if err := r.queuer.Add(ctx, events); err != nil {
		return Outcome{}, fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(reason, err))
	}
	return Outcome{Status: Queued}, nil
}

// behind reports whether one of the events would overtake another of its correlation.
//
// When the queue does not say, but something may wait in it, doubt is the reason: then
// it is the right place for these events too, unless it is known to be down, because
// direct writes do not depend on it.
func (r *Recorder) behind(ctx context.Context, events []event.Event) (behind bool, doubt error) {
	down := r.queuer.Down()
	if down && r.queuer.Empty() {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, min(r.options.QueueTimeout, lookTimeout))
	defer cancel()
	behind, err := r.queuer.Holds(ctx, event.Correlations(events))
	if err == nil {
		return behind, nil
	}
	r.log.WarnContext(ctx, "the queue does not say what it holds", "error", err.Error())
	if down || r.queuer.Empty() {
		return false, nil
	}
	return false, err
}

// lookTimeout bounds one look into the queue, which otherwise answers within a
// millisecond. The look precedes a write that can do without it.
const lookTimeout = 500 * time.Millisecond

func (r *Recorder) insert(ctx context.Context, events []event.Event) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.options.StoreTimeout)
	defer cancel()
	return r.storer.Insert(ctx, events)
}

// refused looks for the event that the sender has to mend.
func (r *Recorder) refused(ctx context.Context, events []event.Event, rejected *store.RejectedError) error {
	ctx, cancel := context.WithTimeout(ctx, r.options.QueueTimeout)
	defer cancel()
	index, err := r.storer.FirstRejected(ctx, events)
	if err != nil {
		r.log.WarnContext(ctx, "refused event not found", "error", err.Error())
	}
	return &RefusedError{Index: index, Err: rejected}
}
