package recorder

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

// fakeStore answers Insert with err; nil stores.
type fakeStore struct {
	up     bool
	err    error
	search error
	index  int
	calls  int
	hangs  bool
}

func (f *fakeStore) Insert(ctx context.Context, events []event.Event) (int64, error) {
	f.calls++
	if f.hangs {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return int64(len(events)), f.err
}

func (f *fakeStore) FirstRejected(context.Context, []event.Event) (int, error) {
	return f.index, f.search
}

func (f *fakeStore) State() store.State { return store.State{Up: f.up} }

type fakeQueue struct {
	err   error
	hangs bool
	down  bool
	empty bool
	holds bool
	look  error
	added []event.Event
}

func (f *fakeQueue) Down() bool { return f.down }

func (f *fakeQueue) Empty() bool { return f.empty }

func (f *fakeQueue) Holds(ctx context.Context, _ []string) (bool, error) {
	if f.hangs {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return f.holds, f.look
}

func (f *fakeQueue) Add(ctx context.Context, events []event.Event) error {
	if f.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if f.err == nil {
		f.added = append(f.added, events...)
	}
	return f.err
}

func events() []event.Event { return []event.Event{{ID: uuid.New()}, {ID: uuid.New()}} }

func newRecorder(s Storer, q Queuer) *Recorder {
	return New(s, q, Options{StoreTimeout: 50 * time.Millisecond, QueueTimeout: 50 * time.Millisecond}, slog.New(slog.DiscardHandler))
}

func TestRecord(t *testing.T) {
	broken := errors.New("broken")
	stored, queued := Outcome{Status: Stored, Fresh: 2}, Outcome{Status: Queued}
	for name, c := range map[string]struct {
		store       fakeStore
		queue       fakeQueue
		want        Outcome
		unavailable bool
		inserts     int
		queued      int
	}{
		"stored":            {store: fakeStore{up: true}, want: stored, inserts: 1},
		"known to be down":  {want: queued, queued: 2},
		"fails":             {store: fakeStore{up: true, err: broken}, want: queued, inserts: 1, queued: 2},
		"hangs":             {store: fakeStore{up: true, hangs: true}, want: queued, inserts: 1, queued: 2},
		"both down":         {queue: fakeQueue{err: broken}, unavailable: true},
		"both hang":         {store: fakeStore{up: true, hangs: true}, queue: fakeQueue{hangs: true}, unavailable: true, inserts: 1},
		"behind its own":    {store: fakeStore{up: true}, queue: fakeQueue{holds: true}, want: queued, queued: 2},
		"behind, then gone": {store: fakeStore{up: true}, queue: fakeQueue{holds: true, err: broken}, unavailable: true},

		"empty queue goes away":    {store: fakeStore{up: true}, queue: fakeQueue{empty: true, look: broken}, want: stored, inserts: 1},
		"empty queue known down":   {store: fakeStore{up: true}, queue: fakeQueue{empty: true, down: true, holds: true}, want: stored, inserts: 1},
		"empty queue hangs":        {store: fakeStore{up: true}, queue: fakeQueue{empty: true, hangs: true}, want: stored, inserts: 1},
		"queue says nothing":       {store: fakeStore{up: true}, queue: fakeQueue{look: broken}, want: queued, queued: 2},
		"queue down a moment ago":  {store: fakeStore{up: true}, queue: fakeQueue{down: true, holds: true}, want: queued, queued: 2},
		"queue still down":         {store: fakeStore{up: true}, queue: fakeQueue{down: true, look: broken}, want: stored, inserts: 1},
		"queue goes away":          {store: fakeStore{up: true}, queue: fakeQueue{look: broken, err: broken}, want: stored, inserts: 1},
		"queue hangs":              {store: fakeStore{up: true}, queue: fakeQueue{hangs: true}, want: stored, inserts: 1},
		"queue hangs, store fails": {store: fakeStore{up: true, err: broken}, queue: fakeQueue{hangs: true}, unavailable: true, inserts: 1},
		"queue down is fine":       {store: fakeStore{up: true}, queue: fakeQueue{err: broken}, want: stored, inserts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newRecorder(&c.store, &c.queue).Record(t.Context(), events())
			if errors.Is(err, ErrUnavailable) != c.unavailable || (err != nil) != c.unavailable {
				t.Fatalf("error %v, want unavailable %t", err, c.unavailable)
			}
			if got != c.want || c.store.calls != c.inserts || len(c.queue.added) != c.queued {
				t.Errorf("outcome %+v, %d inserts, %d queued, want %+v, %d, %d",
					got, c.store.calls, len(c.queue.added), c.want, c.inserts, c.queued)
			}
		})
	}
}

func TestRecordNamesTheRefusedEvent(t *testing.T) {
	for name, c := range map[string]struct {
		store fakeStore
		want  int
	}{
		"found":     {fakeStore{index: 1}, 1},
		"not found": {fakeStore{index: -1, search: errors.New("gone")}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			cause := &store.RejectedError{Err: errors.New("22003")}
			c.store.up, c.store.err = true, cause
			queue := &fakeQueue{}
			_, err := newRecorder(&c.store, queue).Record(t.Context(), events())
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Index != c.want || !errors.Is(err, cause) {
				t.Fatalf("error %v, want a RefusedError for index %d", err, c.want)
			}
			if refused.Error() == "" || len(queue.added) != 0 {
				t.Errorf("%d refused events were queued", len(queue.added))
			}
		})
	}
}
