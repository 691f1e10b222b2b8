package queue_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/queue"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

// database is a store that refuses chosen events and can be down.
type database struct {
	mutex  sync.Mutex
	up     bool
	fails  int
	poison string
	stored []string
	// received is called with every batch, before it is judged.
	received func(events []event.Event)
}

func (d *database) State() store.State {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return store.State{Up: d.up}
}

func (d *database) Insert(_ context.Context, events []event.Event) (int64, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.received != nil {
		d.received(events)
	}
	if d.fails > 0 {
		d.fails--
		return 0, errors.New("connection lost")
	}
	if slices.ContainsFunc(events, func(e event.Event) bool { return e.CorrelationID == d.poison }) {
		return 0, &store.RejectedError{Err: errors.New("22003")}
	}
	for _, e := range events {
		d.stored = append(d.stored, e.CorrelationID)
	}
	return int64(len(events)), nil
}

func (d *database) set(up bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.up = up
}

func (d *database) has() []string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Clone(d.stored)
}

type counter struct {
	mutex            sync.Mutex
	replayed, buried int64
	checks, failed   int
	last             queue.Stats
}

func (c *counter) QueueChecked(stats queue.Stats, up bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.checks++
	if !up {
		c.failed++
	}
	c.last = stats
}

func (c *counter) Replayed(events int64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.replayed += events
}

func (c *counter) Buried(events int64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.buried += events
}

func (c *counter) snapshot() counter {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return counter{replayed: c.replayed, buried: c.buried, checks: c.checks, failed: c.failed, last: c.last}
}

func work(t *testing.T, q *queue.Queue, d *database, interval time.Duration) (*queue.Worker, *counter) {
	t.Helper()
	observer := &counter{}
	worker := queue.NewWorker(q, d, observer, queue.WorkerOptions{
		Interval: interval, Batch: 3, StoreTimeout: time.Second, QueueTimeout: time.Second,
	}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		worker.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return worker, observer
}

func TestWorkerReplaysInOrderUntilEmpty(t *testing.T) {
	q := opened(t, queue.New(shared.Config(t)))
	want := []string{"1", "2", "3", "4", "5", "6", "7"}
	for _, correlation := range want {
		mustAdd(t, q, sample(correlation))
	}
	d := &database{fails: 2}
	worker, observer := work(t, q, d, 20*time.Millisecond)
	eventually(t, "depth seen", func() bool { return observer.snapshot().last.Depth == 7 })
	if got := d.has(); got != nil {
		t.Fatalf("stored %v while the database is down", got)
	}
	d.set(true)
	worker.Wake()
	worker.Wake()
	eventually(t, "empty", func() bool { return observer.snapshot().replayed == 7 })
	if got := d.has(); !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
	eventually(t, "depth 0 seen", func() bool { return observer.snapshot().last == queue.Stats{} })
}

func TestWorkerWakesForNewEvents(t *testing.T) {
	q := opened(t, queue.New(shared.Config(t)))
	d := &database{up: true}
	_, observer := work(t, q, d, time.Hour)
	eventually(t, "first look", func() bool { return observer.snapshot().checks > 0 })
	mustAdd(t, q, sample("1"))
	eventually(t, "replayed", func() bool { return observer.snapshot().replayed == 1 })
}

func TestWorkerBuriesWhatCanNeverBeStored(t *testing.T) {
	c := shared.Config(t)
	q := opened(t, queue.New(c))
	for _, correlation := range []string{"1", "bad", "2"} {
		mustAdd(t, q, sample(correlation))
	}
	client := shared.Client()
	defer func() { _ = client.Close() }()
	if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: c.Stream, Values: []string{"event", "{"}}).Err(); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, q, sample("3"))

	d := &database{up: true, poison: "bad"}
	_, observer := work(t, q, d, 20*time.Millisecond)
	eventually(t, "empty", func() bool { return observer.snapshot().last == queue.Stats{Dead: 2} })
	if got, want := d.has(), []string{"1", "2", "3"}; !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
	if got := observer.snapshot(); got.replayed != 3 || got.buried != 2 {
		t.Errorf("%d replayed, %d buried, want 3, 2", got.replayed, got.buried)
	}
}

// The database goes away between the batch that was refused and its single events.
func TestWorkerKeepsTheRestWhenTheDatabaseFails(t *testing.T) {
	q := opened(t, queue.New(shared.Config(t)))
	mustAdd(t, q, sample("1"), sample("bad"))
	d := &database{up: true, poison: "bad"}
	failed := false
	d.received = func(events []event.Event) {
		if len(events) == 1 && !failed {
			failed, d.fails = true, 1
		}
	}
	_, observer := work(t, q, d, 20*time.Millisecond)
	eventually(t, "empty", func() bool { return observer.snapshot().last == queue.Stats{Dead: 1} })
	if got, want := d.has(), []string{"1"}; !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
}

// Redis goes away after the database has the events: they are stored again later, and
// nothing is counted twice.
func TestWorkerSurvivesRedis(t *testing.T) {
	server := ownRedis(t)
	q := opened(t, queue.New(server.Config(t)))
	mustAdd(t, q, sample("1"), sample("bad"), sample("2"))
	d := &database{up: true, poison: "bad"}
	var once sync.Once
	d.received = func([]event.Event) {
		once.Do(func() {
			if err := server.Stop(); err != nil {
				t.Errorf("stop Redis: %v", err)
			}
		})
	}
	_, observer := work(t, q, d, 20*time.Millisecond)
	eventually(t, "down seen", func() bool { return observer.snapshot().failed > 0 })
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "empty", func() bool { return observer.snapshot().last == queue.Stats{Dead: 1} })
	if got := observer.snapshot(); got.replayed != 2 || got.buried != 1 {
		t.Errorf("%d replayed, %d buried, want 2, 1", got.replayed, got.buried)
	}
}
