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
// holds older events, new ones go straight to PostgreSQL: readers sort by
// event_timestamp, so the order of arrival does not matter, and queueing behind a
// backlog would only make the backlog longer.
//
// A timeout of PostgreSQL does not say whether the events were stored. Queueing them
// is right in both cases, because storing is idempotent.
func (r *Recorder) Record(ctx context.Context, events []event.Event) (Outcome, error) {
	storeErr := errDown
	if r.storer.State().Up {
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

var errDown = errors.New("PostgreSQL is known to be down")

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
