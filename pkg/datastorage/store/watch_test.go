package store_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/realstores"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

// watched runs the watch until the test ends.
func watched(t *testing.T, s *store.Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func ownPostgreSQL(t *testing.T) *realstores.PostgreSQL {
	t.Helper()
	server, err := realstores.StartPostgreSQL()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close PostgreSQL: %v", err)
		}
	})
	return server
}

func TestRunOutlivesTheDatabase(t *testing.T) {
	server := ownPostgreSQL(t)
	c := server.Database(t)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	changes := make(chan store.State, 100)
	s := openStore(t, c, func(o *store.Options) { o.Changed = func(state store.State) { changes <- state } })
	watched(t, s)
	if got := s.State(); got != (store.State{}) {
		t.Fatalf("state %+v while the database never was up", got)
	}
	if _, err := s.Insert(t.Context(), []event.Event{sample(now())}); err == nil {
		t.Fatal("insert succeeded without a database")
	}

	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	expect(t, changes, store.State{Up: true, Migrated: true})
	mustInsert(t, s, 1, sample(now()))

	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	expect(t, changes, store.State{Up: false, Migrated: true})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	expect(t, changes, store.State{Up: true, Migrated: true})
	mustInsert(t, s, 1, sample(now()))
}

func expect(t *testing.T, changes <-chan store.State, want store.State) {
	t.Helper()
	select {
	case got := <-changes:
		if got != want {
			t.Fatalf("state %+v, want %+v", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("state %+v not reached", want)
	}
}

func TestBusyDatabaseIsNotDown(t *testing.T) {
	c := postgres.Database(t)
	c.MaxConnections = 2
	c.ConnectTimeout = 100 * time.Millisecond
	changes := make(chan store.State, 100)
	s := openStore(t, c, func(o *store.Options) {
		o.Watch.CheckInterval = 10 * time.Millisecond
		o.Changed = func(state store.State) { changes <- state }
	})
	watched(t, s)
	expect(t, changes, store.State{Up: true, Migrated: true})

	release := holdTable(t, c, "ACCESS EXCLUSIVE")
	var writes errgroup.Group
	for range c.MaxConnections {
		writes.Go(func() error { _, err := s.Insert(t.Context(), []event.Event{sample(now())}); return err })
	}
	eventually(t, "three checks without a connection", func() bool { return s.GivenUp() >= 3 })
	if len(changes) != 0 || !s.State().Up {
		t.Errorf("state %+v while all connections are at work", s.State())
	}
	release()
	if err := writes.Wait(); err != nil {
		t.Error(err)
	}
}

func TestFrozenDatabaseCostsOneDeadlineOnly(t *testing.T) {
	server := ownPostgreSQL(t)
	s := openStore(t, server.Database(t), func(o *store.Options) {
		// The write finds out before the check does.
		o.Watch.CheckInterval = time.Hour
		o.PostgreSQL.ConnectTimeout = 200 * time.Millisecond
	})
	watched(t, s)
	eventually(t, "up", func() bool { return s.State().Up })
	mustInsert(t, s, 1, sample(now()))

	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	late := sample(now())
	if _, err := s.Insert(ctx, []event.Event{late}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v, want the deadline", err)
	}
	if s.State().Up {
		t.Error("a database that let a write time out still counts as up")
	}
	if err := server.Thaw(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "up again", func() bool { return s.State().Up })
}

// A volume that dies with its pod brings an empty database back on the same address.
func TestEmptiedDatabaseIsPreparedAgain(t *testing.T) {
	c := postgres.Database(t)
	s := openStore(t, c, nil)
	watched(t, s)
	eventually(t, "up", func() bool { return s.State().Up })

	execute(t, c, "DROP TABLE audit_events, audit_event_ids, goose_db_version")
	// The first write notices; it fails, which sends its events to the queue.
	if _, err := s.Insert(t.Context(), []event.Event{sample(now())}); err == nil {
		t.Fatal("insert succeeded without a table")
	}
	eventually(t, "prepared again", func() bool { return s.State().Up })
	mustInsert(t, s, 1, sample(now()))
}

func execute(t *testing.T, c config.PostgreSQL, statement string) {
	t.Helper()
	database, err := config.Secret(c.Secrets, "database")
	if err != nil {
		t.Fatal(err)
	}
	connection, err := pgx.Connect(t.Context(), postgres.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(t.Context())) }()
	if _, err := connection.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestMissingSecretOnlyDelays(t *testing.T) {
	c := postgres.Database(t)
	complete := c.Secrets
	c.Secrets = t.TempDir() + "/mounted"
	s := openStore(t, c, nil)
	watched(t, s)
	if err := s.Migrate(t.Context()); err == nil {
		t.Fatal("migrated without a password")
	}
	if err := os.Rename(complete, c.Secrets); err != nil {
		t.Fatal(err)
	}
	eventually(t, "up", func() bool { return s.State().Up })
}

func TestQueryErrorQuestionsTheState(t *testing.T) {
	c := postgres.Database(t)
	s := openStore(t, c, nil)
	watched(t, s)
	eventually(t, "up", func() bool { return s.State().Up })
	execute(t, c, "DROP TABLE audit_events, audit_event_ids, goose_db_version")
	if _, err := s.Query(t.Context(), store.Query{Limit: 1}); err == nil {
		t.Fatal("query succeeded without a table")
	}
	eventually(t, "prepared again", func() bool {
		page, err := s.Query(t.Context(), store.Query{Limit: 1})
		return err == nil && page.Total == 0 && s.State().Up
	})
}
