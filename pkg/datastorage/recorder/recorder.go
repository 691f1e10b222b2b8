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
	Up() bool
}

// Options bound one write: the longest time to an answer is the sum.
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
// is right in both cases, because storing is idempotent.
func (r *Recorder) Record(ctx context.Context, events []event.Event) (Outcome, error) {
	storeErr := errDown
	switch {
	case !r.storer.State().Up:
	case r.mustWait(ctx, events):
		storeErr = errBehind
	default:
		var fresh int64
		fresh, storeErr = r.insert(ctx, events)
		if storeErr == nil {
			return Outcome{Status: Stored, Fresh: fresh}, nil
		}
		if rejected := (*store.RejectedError)(nil); errors.As(storeErr, &rejected) {
			return Outcome{}, r.refused(ctx, events, rejected)
		}
		r.log.WarnContext(ctx, "PostgreSQL did not take the events, queueing them", "count", len(events), "error", storeErr.Error())
	}
	queueCtx, cancel := context.WithTimeout(ctx, r.options.QueueTimeout)
	defer cancel()
	if err := r.queuer.Add(queueCtx, events); err != nil {
		return Outcome{}, fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(storeErr, err))
	}
	return Outcome{Status: Queued}, nil
}

var (
	errDown   = errors.New("PostgreSQL is known to be down")
	errBehind = errors.New("older events of the same correlation wait in the queue")
)

// mustWait reports whether one of the events would overtake another of its
// correlation. When the queue does not say, the events do not wait: direct writes do
// not depend on it.
func (r *Recorder) mustWait(ctx context.Context, events []event.Event) bool {
	if !r.queuer.Up() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, min(r.options.QueueTimeout, lookTimeout))
	defer cancel()
	holds, err := r.queuer.Holds(ctx, event.Correlations(events))
	if err != nil {
		r.log.WarnContext(ctx, "the queue does not say what it holds", "error", err.Error())
	}
	return holds
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
