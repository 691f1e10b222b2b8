package store_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

// migratedIn is migrated in a database that the test looks into itself.
func migratedIn(t *testing.T, c config.PostgreSQL, change func(*store.Options)) *store.Store {
	t.Helper()
	s := openStore(t, c, change)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	if err := s.EnsurePartitions(t.Context()); err != nil {
		t.Fatalf("ensure partitions: %v", err)
	}
	return s
}

func monthsBack(months int) time.Time { return now().AddDate(0, -months, 0) }

func keepTwoMonths(o *store.Options) { o.Retention = 2 }

func TestDropRemovesWholeOldMonths(t *testing.T) {
	c := postgres.Database(t)
	s := migratedIn(t, c, keepTwoMonths)
	for _, months := range []int{0, 2, 3, 4} {
		mustInsert(t, s, 1, sample(monthsBack(months)))
	}
	// A partition that somebody else made is not ours to drop.
	execute(t, c, `CREATE TABLE archive PARTITION OF audit_events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')`)

	for range 2 {
		if err := s.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"archive", "audit_events_2026_01", "audit_events_2026_02", "audit_events_2026_03",
		"audit_events_2026_04", "audit_events_2026_05", "audit_events_2026_06",
	}
	if got := partitionsOf(t, c); !slices.Equal(got, want) {
		t.Errorf("partitions %v, want %v", got, want)
	}
	if page := mustQuery(t, s, store.Query{}); page.Total != 2 {
		t.Errorf("%d events are left, want 2", page.Total)
	}
	ids := texts(t, c, "SELECT event_date::text FROM audit_event_ids ORDER BY 1")
	if want := []string{"2026-01-03", "2026-03-03"}; !slices.Equal(ids, want) {
		t.Errorf("ids of the days %v, want %v", ids, want)
	}
}

func TestNothingIsDroppedWithoutARetention(t *testing.T) {
	c := postgres.Database(t)
	s := migratedIn(t, c, nil)
	mustInsert(t, s, 1, sample(monthsBack(40)))
	before := partitionsOf(t, c)
	if err := s.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := partitionsOf(t, c); !slices.Equal(got, before) {
		t.Errorf("partitions %v, want %v", got, before)
	}
}

// holdTable reads from the table in a transaction until the function that it returns
// is called.
func holdTable(t *testing.T, c config.PostgreSQL, mode string) (release func()) {
	t.Helper()
	database, err := config.Secret(c.Secrets, "database")
	if err != nil {
		t.Fatal(err)
	}
	connection, err := pgx.Connect(t.Context(), postgres.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"BEGIN", "LOCK TABLE audit_events IN " + mode + " MODE"} {
		if _, err := connection.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := connection.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

// A long read must not make a waiting DROP hold up all writes, and old events are no
// reason to refuse new ones.
func TestDropGivesWayAndIsTriedAgain(t *testing.T) {
	c := postgres.Database(t)
	mustInsert(t, migratedIn(t, c, nil), 1, sample(monthsBack(4)))
	release := holdTable(t, c, "ACCESS SHARE")
	s := openStore(t, c, keepTwoMonths)
	if err := s.Drop(t.Context()); err == nil {
		t.Fatal("dropped what is being read")
	}
	watched(t, s)
	eventually(t, "up", func() bool { return s.State().Up })
	mustInsert(t, s, 1, sample(now()))
	release()
	eventually(t, "dropped", func() bool { return !slices.Contains(partitionsOf(t, c), "audit_events_2025_11") })
}

// moving is a clock that a test sets.
type moving struct{ at atomic.Pointer[time.Time] }

func (m *moving) set(at time.Time) { m.at.Store(&at) }

func (m *moving) now() time.Time { return *m.at.Load() }

func TestEachDayBeginsOnce(t *testing.T) {
	c := postgres.Database(t)
	clock := &moving{}
	clock.set(time.Date(2026, 3, 31, 23, 59, 59, 999e6, time.UTC))
	s := openStore(t, c, func(o *store.Options) {
		keepTwoMonths(o)
		o.Clock = clock.now
	})
	watched(t, s)
	eventually(t, "up", func() bool { return s.State().Up })
	mustInsert(t, s, 1, sample(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)))
	want := []string{
		"audit_events_2026_01", "audit_events_2026_03", "audit_events_2026_04", "audit_events_2026_05", "audit_events_2026_06",
	}
	if got := partitionsOf(t, c); !slices.Equal(got, want) {
		t.Fatalf("partitions %v, want %v", got, want)
	}

	clock.set(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))
	want = append(want[1:], "audit_events_2026_07")
	eventually(t, "the month of the new quarter has come and the old one has gone", func() bool {
		return slices.Equal(partitionsOf(t, c), want)
	})
}

// A statement whose request has given up must not go on waiting in the server: its
// connection would be lost to others.
func TestStatementsEndWithTheirContext(t *testing.T) {
	c := postgres.Database(t)
	s := migratedIn(t, c, func(o *store.Options) { o.PostgreSQL.MaxConnections = 2 })
	release := holdTable(t, c, "ACCESS EXCLUSIVE")
	late := sample(now())
	for range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		began := time.Now()
		_, err := s.Insert(ctx, []event.Event{late})
		cancel()
		if took := time.Since(began); err == nil || took > 2*time.Second {
			t.Fatalf("error %v after %s, want the deadline of 100ms", err, took)
		}
	}
	waiting := func() []string {
		return texts(t, c, `SELECT left(query, 40) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	}
	eventually(t, "nobody waits for the lock", func() bool { return len(waiting()) == 0 })
	release()
	mustInsert(t, s, 1, late)
}
