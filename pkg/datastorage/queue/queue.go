package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
)

// The fields of a stream entry. The reason is only in the dead stream.
const (
	fieldEvent  = "event"
	fieldReason = "reason"
)

// Entry is one waiting event.
type Entry struct {
	// ID is the id of the stream entry, which starts with its time.
	ID string
	// Event is what was queued; it is empty when Err is set.
	Event event.Event
	// Err says that the entry does not hold an event.
	Err error
	raw string
}

// Stats is the state of both streams.
type Stats struct {
	// Depth is the number of waiting events.
	Depth int64
	// Dead is the number of events that can never be stored.
	Dead int64
	// Oldest is when the head of the queue was put in. Zero means an empty queue.
	Oldest time.Time
}

// Queue is the pair of streams. It is safe for concurrent use. Nothing connects
// before the first command, so that New works while Redis is down.
type Queue struct {
	client *redis.Client
	stream string
	dead   string
	// waiting is a hash with the number of queued events by correlation. It is
	// changed together with the stream only.
	waiting string
	// answers is what the last command came to.
	answers atomic.Int32
	// adds counts the calls of Add that succeeded, and emptyAt is how many there were
	// before the check that last found the queue empty, or -1. What Redis took without
	// confirming it was not accepted, so nothing has to stay behind it.
	adds, emptyAt atomic.Int64
	// added holds one token after an event was queued here, to wake the worker.
	added chan struct{}
}

// New prepares a Queue.
func New(c config.Redis) *Queue {
	client := redis.NewClient(&redis.Options{
		Addr:        c.Address,
		DialTimeout: c.ConnectTimeout,
		// The deadline of the request decides; without this the client would wait
		// for its own timeouts.
		ContextTimeoutEnabled: true,
		// The worker looks again every second; a command that dials five times would
		// only keep a request waiting.
		DialerRetries: 1,
		// Adding twice is harmless, but a caller with a deadline decides better
		// than the client whether there is time for another attempt.
		MaxRetries: -1,
		CredentialsProviderContext: func(context.Context) (string, string, error) {
			password, err := config.Secret(c.Secrets, "password")
			return "", password, err
		},
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	q := &Queue{
		client: client, stream: c.Stream, dead: c.DeadStream, waiting: c.Stream + ":waiting", added: make(chan struct{}, 1),
	}
	q.emptyAt.Store(-1)
	return q
}

// Close ends all connections.
func (q *Queue) Close() error { return q.client.Close() }

// What a command came to. Before the first, nothing is known.
const (
	unknown int32 = iota
	succeeded
	failed
)

// Up reports whether the last command succeeded. Before the first it is false.
func (q *Queue) Up() bool { return q.answers.Load() == succeeded }

// Down reports whether the last command failed. Before the first it is false.
func (q *Queue) Down() bool { return q.answers.Load() == failed }

// Empty reports, without asking Redis, whether the last check found nothing that waits
// and nothing was added here since. Before the first check it is false. What another
// replica has added is known with the next check only.
func (q *Queue) Empty() bool { return q.emptyAt.Load() == q.adds.Load() }

// Add queues events in their order, all or none: they go in as one transaction.
func (q *Queue) Add(ctx context.Context, events []event.Event) error {
	bodies := make([]string, len(events))
	correlations := make(map[string]int64)
	for i, e := range events {
		body, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode event %s: %w", e.ID, err)
		}
		bodies[i] = string(body)
		correlations[e.CorrelationID]++
	}
	_, err := q.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, body := range bodies {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: q.stream, Values: []string{fieldEvent, body}})
		}
		for correlation, count := range correlations {
			pipe.HIncrBy(ctx, q.waiting, correlation, count)
		}
		return nil
	})
	if err := q.note(err); err != nil {
		return fmt.Errorf("queue %d events: %w", len(events), err)
	}
	q.adds.Add(1)
	select {
	case q.added <- struct{}{}:
	default:
	}
	return nil
}

// Holds reports whether an event of one of the correlations waits in the queue. Its
// caller has little time, so an error does not mean yet that Redis is down.
func (q *Queue) Holds(ctx context.Context, correlations []string) (bool, error) {
	counts, err := q.client.HMGet(ctx, q.waiting, correlations...).Result()
	if err != nil {
		return false, fmt.Errorf("look for waiting events: %w", err)
	}
	return slices.ContainsFunc(counts, func(count any) bool { return count != nil }), nil
}

// Head returns up to count entries, oldest first.
func (q *Queue) Head(ctx context.Context, count int64) ([]Entry, error) {
	messages, err := q.client.XRangeN(ctx, q.stream, "-", "+", count).Result()
	if err := q.note(err); err != nil {
		return nil, fmt.Errorf("read queue: %w", err)
	}
	entries := make([]Entry, len(messages))
	for i, message := range messages {
		entries[i] = decode(message)
	}
	return entries, nil
}

func decode(message redis.XMessage) Entry {
	entry := Entry{ID: message.ID}
	raw, ok := message.Values[fieldEvent].(string)
	if !ok {
		entry.Err = fmt.Errorf("entry %s has no field %q", message.ID, fieldEvent)
		return entry
	}
	entry.raw = raw
	if err := json.Unmarshal([]byte(raw), &entry.Event); err != nil {
		entry.Err = fmt.Errorf("entry %s: %w", message.ID, err)
	}
	return entry
}

// removeEntries deletes each entry that is still there and counts it out of its
// correlation, in one step: KEYS are stream and hash, ARGV is id, correlation, id, ...
const removeEntries = `local removed = 0
for i = 1, #ARGV, 2 do
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    removed = removed + 1
    if redis.call('HINCRBY', KEYS[2], ARGV[i + 1], -1) <= 0 then redis.call('HDEL', KEYS[2], ARGV[i + 1]) end
  end
end
return removed`

// Remove deletes entries that are stored, and returns how many were still there.
func (q *Queue) Remove(ctx context.Context, entries []Entry) (int64, error) {
	arguments := make([]any, 0, 2*len(entries))
	for _, entry := range entries {
		arguments = append(arguments, entry.ID, entry.Event.CorrelationID)
	}
	removed, err := q.client.Eval(ctx, removeEntries, []string{q.stream, q.waiting}, arguments...).Int64()
	if err := q.note(err); err != nil {
		return 0, fmt.Errorf("remove replayed events from the queue: %w", err)
	}
	return removed, nil
}

// moveToDead moves an entry in one step. A second replica that judges the same entry
// finds it gone and adds nothing.
const moveToDead = `if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
if redis.call('HINCRBY', KEYS[3], ARGV[4], -1) <= 0 then redis.call('HDEL', KEYS[3], ARGV[4]) end
redis.call('XADD', KEYS[2], '*', 'event', ARGV[2], 'reason', ARGV[3])
return 1`

// Bury moves an entry to the dead stream with the reason, and reports whether this
// call did it.
func (q *Queue) Bury(ctx context.Context, entry Entry, reason string) (bool, error) {
	moved, err := q.client.Eval(ctx, moveToDead, []string{q.stream, q.dead, q.waiting},
		entry.ID, entry.raw, reason, entry.Event.CorrelationID).Int()
	if err := q.note(err); err != nil {
		return false, fmt.Errorf("move entry %s to the dead stream: %w", entry.ID, err)
	}
	return moved == 1, nil
}

// Stats reads the state of both streams; it is also the health check.
func (q *Queue) Stats(ctx context.Context) (Stats, error) {
	adds := q.adds.Load()
	var depth, dead *redis.IntCmd
	var head *redis.XMessageSliceCmd
	_, err := q.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		depth, dead = pipe.XLen(ctx, q.stream), pipe.XLen(ctx, q.dead)
		head = pipe.XRangeN(ctx, q.stream, "-", "+", 1)
		return nil
	})
	if err := q.note(err); err != nil {
		return Stats{}, fmt.Errorf("check queue: %w", err)
	}
	stats := Stats{Depth: depth.Val(), Dead: dead.Val()}
	if stats.Depth > 0 {
		adds = -1
	}
	q.emptyAt.Store(adds)
	if messages := head.Val(); len(messages) > 0 {
		stats.Oldest = timeOf(messages[0].ID)
	}
	return stats, nil
}

// timeOf reads the time from the id of a stream entry, <milliseconds>-<sequence>.
func timeOf(id string) time.Time {
	milliseconds, _, _ := strings.Cut(id, "-")
	value, err := strconv.ParseInt(milliseconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(value)
}

// note remembers whether Redis answered. A caller that went away says nothing about
// Redis.
func (q *Queue) note(err error) error {
	switch {
	case err == nil:
		q.answers.Store(succeeded)
	case !errors.Is(err, context.Canceled):
		q.answers.Store(failed)
	}
	return err
}

// clientLog receives what the Redis client itself has to say.
type clientLog struct{ log *slog.Logger }

// Printf logs at debug: the client repeats for every connection what the queue
// reports once.
func (c clientLog) Printf(ctx context.Context, format string, arguments ...any) {
	c.log.DebugContext(ctx, fmt.Sprintf(format, arguments...)) //nolint:sloglint // The client formats its lines itself.
}

// CaptureClientLog sends the client's own lines to log. The client has one logger per
// process, so this belongs into main.
func CaptureClientLog(log *slog.Logger) { redis.SetLogger(clientLog{log.With("store", "redis")}) }
