package queue

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

// Storer is where queued events go.
type Storer interface {
	Insert(ctx context.Context, events []event.Event) (int64, error)
	State() store.State
}

// Observer is told what the worker does.
type Observer interface {
	QueueChecked(stats Stats, up bool)
	Replayed(events int64)
	Buried(events int64)
}

// WorkerOptions are the times and sizes of a Worker.
type WorkerOptions struct {
	// Interval is how often an empty queue is looked at; it is also how often Redis
	// is checked.
	Interval time.Duration
	// Batch is the number of events in one transaction.
	Batch int64
	// StoreTimeout and QueueTimeout bound one step.
	StoreTimeout, QueueTimeout time.Duration
}

// Worker replays the queue.
type Worker struct {
	queue    *Queue
	storer   Storer
	observer Observer
	options  WorkerOptions
	log      *slog.Logger
	wake     chan struct{}
}

// NewWorker prepares a Worker.
func NewWorker(queue *Queue, storer Storer, observer Observer, options WorkerOptions, log *slog.Logger) *Worker {
	return &Worker{
		queue: queue, storer: storer, observer: observer, options: options,
		log: log.With("component", "queue-worker"), wake: make(chan struct{}, 1),
	}
}

// Wake makes the worker look at the queue now, for example because the database has
// come back. It never blocks.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run replays until ctx ends. Whenever there are events and PostgreSQL is up, it goes
// on until the queue is empty; every failure only means another try later.
func (w *Worker) Run(ctx context.Context) {
	ticker := time.NewTicker(w.options.Interval)
	defer ticker.Stop()
	wasUp := false
	for {
		up := w.round(ctx)
		if up != wasUp && ctx.Err() == nil {
			w.log.InfoContext(ctx, "Redis changed its state", "up", up)
			wasUp = up
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-w.wake:
		case <-w.queue.added:
		}
	}
}

// round checks the queue, drains it when that is possible, and reports whether Redis
// is up.
func (w *Worker) round(ctx context.Context) bool {
	stats, err := w.check(ctx)
	if err != nil {
		return false
	}
	if stats.Depth == 0 || !w.storer.State().Up {
		return true
	}
	if err := w.drain(ctx); err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "replay stopped, trying again", "error", err.Error())
	}
	_, err = w.check(ctx)
	return err == nil
}

func (w *Worker) check(ctx context.Context) (Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, w.options.QueueTimeout)
	defer cancel()
	stats, err := w.queue.Stats(ctx)
	w.observer.QueueChecked(stats, err == nil)
	return stats, err
}

// drain replays from the head until the queue is empty.
func (w *Worker) drain(ctx context.Context) error {
	for ctx.Err() == nil {
		entries, err := w.head(ctx)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := w.replay(ctx, entries); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *Worker) head(ctx context.Context) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, w.options.QueueTimeout)
	defer cancel()
	return w.queue.Head(ctx, w.options.Batch)
}

// replay stores entries in one transaction. If the database refuses one of them, they
// are taken one at a time, so that a bad event holds back no good one.
func (w *Worker) replay(ctx context.Context, entries []Entry) error {
	if readable(entries) {
		err := w.store(ctx, entries)
		if refused := (*store.RejectedError)(nil); !errors.As(err, &refused) {
			return err
		}
	}
	for i := range entries {
		err := entries[i].Err
		if err == nil {
			err = w.store(ctx, entries[i:i+1])
			if refused := (*store.RejectedError)(nil); err != nil && !errors.As(err, &refused) {
				return err
			}
		}
		if err != nil {
			if err := w.bury(ctx, entries[i], err); err != nil {
				return err
			}
		}
	}
	return nil
}

func readable(entries []Entry) bool {
	for _, entry := range entries {
		if entry.Err != nil {
			return false
		}
	}
	return true
}

// store writes entries to the database and then removes them. A crash in between
// means that they are replayed again, which stores nothing twice.
func (w *Worker) store(ctx context.Context, entries []Entry) error {
	events := make([]event.Event, len(entries))
	for i, entry := range entries {
		events[i] = entry.Event
	}
	storeCtx, cancel := context.WithTimeout(ctx, w.options.StoreTimeout)
	defer cancel()
	if _, err := w.storer.Insert(storeCtx, events); err != nil {
		return err
	}
	queueCtx, cancel := context.WithTimeout(ctx, w.options.QueueTimeout)
	defer cancel()
	removed, err := w.queue.Remove(queueCtx, entries)
	w.observer.Replayed(removed)
	return err
}

func (w *Worker) bury(ctx context.Context, entry Entry, reason error) error {
	ctx, cancel := context.WithTimeout(ctx, w.options.QueueTimeout)
	defer cancel()
	moved, err := w.queue.Bury(ctx, entry, reason.Error())
	if err != nil {
		return err
	}
	if moved {
		w.observer.Buried(1)
		w.log.ErrorContext(ctx, "event can never be stored, moved to the dead stream",
			"entry", entry.ID, "event_id", entry.Event.ID.String(), "error", reason.Error())
	}
	return nil
}
