package queue_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/queue"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/realstores"
)

func TestAddKeepsTheOrder(t *testing.T) {
	q := opened(t, queue.New(shared.Config(t)))
	if q.Up() || q.Down() || q.Empty() {
		t.Errorf("up %t, down %t, empty %t before the first command", q.Up(), q.Down(), q.Empty())
	}
	first, second, third := sample("a"), sample("b"), sample("c")
	before := time.Now().Add(-time.Second)
	mustAdd(t, q, first, second)
	mustAdd(t, q, third)

	entries, err := q.Head(t.Context(), 2)
	if err != nil || len(entries) != 2 {
		t.Fatalf("head %+v, %v", entries, err)
	}
	for i, want := range []event.Event{first, second} {
		if entries[i].Err != nil || !reflect.DeepEqual(entries[i].Event, want) {
			t.Errorf("entry %d is %+v, want %+v", i, entries[i], want)
		}
	}
	stats := mustStats(t, q)
	if stats.Depth != 3 || stats.Dead != 0 || stats.Oldest.Before(before) || stats.Oldest.After(time.Now().Add(time.Second)) {
		t.Errorf("stats %+v", stats)
	}
	for range 2 {
		// The second removal finds nothing, as a second replica would.
		want := int64(2)
		if mustStats(t, q).Depth == 1 {
			want = 0
		}
		if removed, err := q.Remove(t.Context(), entries); err != nil || removed != want {
			t.Errorf("removed %d, %v, want %d", removed, err, want)
		}
	}
	if !q.Up() || q.Down() {
		t.Error("down after commands that succeeded")
	}
}

func TestEmptyIsWhatTheLastCheckFound(t *testing.T) {
	server := ownRedis(t)
	c := server.Config(t)
	q, replica := opened(t, queue.New(c)), opened(t, queue.New(c))
	expect := func(what string, want bool) {
		t.Helper()
		if got := q.Empty(); got != want {
			t.Errorf("%s: empty %t, want %t", what, got, want)
		}
	}
	mustStats(t, q)
	expect("after the first check", true)
	mustAdd(t, q, sample("a"))
	expect("after an event was added", false)
	mustStats(t, q)
	expect("after a check that found it", false)
	entries, err := q.Head(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Remove(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	expect("after its removal, before a check", false)
	mustStats(t, q)
	expect("after a check that found nothing", true)
	mustAdd(t, replica, sample("b"))
	expect("before the check that finds what a replica added", true)
	mustStats(t, q)
	expect("after that check", false)

	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := replica.Holds(t.Context(), []string{"b"}); err == nil || !replica.Up() {
		t.Errorf("a look that failed: error %v, up %t, want an error and no judgement", err, replica.Up())
	}
	empty := opened(t, queue.New(c))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	entries, err = q.Head(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Remove(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	mustStats(t, empty)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := empty.Add(t.Context(), []event.Event{sample("c")}); err == nil || !empty.Down() || !empty.Empty() {
		t.Errorf("error %v, down %t, empty %t after an event that was not accepted, want an error, true, true",
			err, empty.Down(), empty.Empty())
	}
}

func TestBuryMovesOnce(t *testing.T) {
	c := shared.Config(t)
	q := opened(t, queue.New(c))
	e := sample("a")
	mustAdd(t, q, e)
	entries, err := q.Head(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if moved, err := q.Bury(t.Context(), entries[0], "why"); err != nil || moved != want {
			t.Errorf("moved %t, %v, want %t", moved, err, want)
		}
	}
	if stats := mustStats(t, q); stats != (queue.Stats{Dead: 1}) {
		t.Errorf("stats %+v, want one dead", stats)
	}
	client := shared.Client()
	defer func() { _ = client.Close() }()
	dead, err := client.XRange(t.Context(), c.DeadStream, "-", "+").Result()
	if err != nil || len(dead) != 1 || dead[0].Values["reason"] != "why" ||
		!strings.Contains(dead[0].Values["event"].(string), e.ID.String()) {
		t.Errorf("dead stream %+v, %v", dead, err)
	}
}

// What the queue holds is known by correlation until the last event of it has gone,
// whichever way that goes.
func TestHolds(t *testing.T) {
	q := opened(t, queue.New(shared.Config(t)))
	a, b := sample("a"), sample("b")
	mustAdd(t, q, a, b, a)
	holds := func(want bool, correlations ...string) {
		t.Helper()
		if got, err := q.Holds(t.Context(), correlations); err != nil || got != want {
			t.Errorf("holds %v: %t, %v, want %t", correlations, got, err, want)
		}
	}
	holds(true, "a")
	holds(true, "c", "b")
	holds(false, "c")
	entries, err := q.Head(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		// As a second replica would remove it too.
		if _, err := q.Remove(t.Context(), entries[:1]); err != nil {
			t.Fatal(err)
		}
	}
	holds(true, "a")
	if _, err := q.Bury(t.Context(), entries[1], "why"); err != nil {
		t.Fatal(err)
	}
	holds(false, "b")
	if _, err := q.Remove(t.Context(), entries[2:]); err != nil {
		t.Fatal(err)
	}
	holds(false, "a", "b")
}

func TestHeadReportsWhatIsNoEvent(t *testing.T) {
	c := shared.Config(t)
	q := opened(t, queue.New(c))
	client := shared.Client()
	defer func() { _ = client.Close() }()
	for _, values := range [][]string{{"event", "{"}, {"other", "x"}} {
		if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: c.Stream, Values: values}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := q.Head(t.Context(), 10)
	if err != nil || len(entries) != 2 || entries[0].Err == nil || entries[1].Err == nil {
		t.Errorf("entries %+v, %v", entries, err)
	}
}

func TestCommandsFailWhileRedisIsAway(t *testing.T) {
	server := ownRedis(t)
	q := opened(t, queue.New(server.Config(t)))
	mustAdd(t, q, sample("a"))
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	entry := []queue.Entry{{ID: "1-1"}}
	_, head := q.Head(t.Context(), 1)
	_, remove := q.Remove(t.Context(), entry)
	_, bury := q.Bury(t.Context(), entry[0], "")
	_, stats := q.Stats(t.Context())
	_, holds := q.Holds(t.Context(), []string{"a"})
	for name, err := range map[string]error{
		"add": q.Add(t.Context(), []event.Event{sample("a")}), "head": head, "remove": remove, "bury": bury, "stats": stats, "holds": holds,
	} {
		if err == nil {
			t.Errorf("%s succeeded", name)
		}
	}
	if q.Up() {
		t.Error("up after commands that failed")
	}

	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if got := mustStats(t, q).Depth; got != 1 || !q.Up() {
		t.Errorf("depth %d up %t after the restart, want 1 true", got, q.Up())
	}
}

func TestFrozenRedisCostsTheDeadline(t *testing.T) {
	server := ownRedis(t)
	q := opened(t, queue.New(server.Config(t)))
	mustStats(t, q)
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	started := time.Now()
	err := q.Add(ctx, []event.Event{sample("a")})
	if took := time.Since(started); err == nil || took > 2*time.Second {
		t.Errorf("error %v after %s", err, took)
	}
	if err := server.Thaw(); err != nil {
		t.Fatal(err)
	}
	// A caller that goes away says nothing about Redis.
	mustStats(t, q)
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := q.Stats(gone); !errors.Is(err, context.Canceled) || !q.Up() {
		t.Errorf("error %v, up %t", err, q.Up())
	}
}

func TestMissingSecretOnlyDelays(t *testing.T) {
	c := shared.Config(t)
	c.Secrets = t.TempDir()
	q := opened(t, queue.New(c))
	if _, err := q.Stats(t.Context()); err == nil {
		t.Error("connected without a password")
	}
}

func TestCaptureClientLog(t *testing.T) {
	var lines bytes.Buffer
	queue.CaptureClientLog(slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer queue.CaptureClientLog(slog.New(slog.DiscardHandler))
	c := shared.Config(t)
	c.Address = "127.0.0.1:1"
	q := opened(t, queue.New(c))
	for range 100 {
		if _, err := q.Stats(t.Context()); err == nil {
			t.Fatal("connected to nothing")
		}
	}
	for line := range strings.Lines(lines.String()) {
		if !strings.HasPrefix(line, "{") {
			t.Errorf("a line that is not JSON: %s", line)
		}
	}
}

func ownRedis(t *testing.T) *realstores.Redis {
	t.Helper()
	server, err := realstores.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close Redis: %v", err)
		}
	})
	return server
}
