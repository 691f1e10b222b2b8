package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

func TestMigrateByReplicasAtOnce(t *testing.T) {
	c := postgres.Database(t)
	var wait sync.WaitGroup
	failures := make([]error, 3)
	for i := range failures {
		s := openStore(t, c, nil)
		wait.Go(func() {
			failures[i] = errors.Join(s.Migrate(t.Context()), s.EnsurePartitions(t.Context()))
		})
	}
	wait.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	want := []string{"audit_events_2026_02", "audit_events_2026_03", "audit_events_2026_04", "audit_events_2026_05", "audit_events_2026_06"}
	if got := partitionsOf(t, c); !slices.Equal(got, want) {
		t.Errorf("partitions %v, want %v", got, want)
	}
}

func partitionsOf(t *testing.T, c config.PostgreSQL) []string {
	t.Helper()
	return texts(t, c, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'audit_events'::regclass ORDER BY 1`)
}

// texts runs a statement that answers with one text per row.
func texts(t *testing.T, c config.PostgreSQL, statement string) []string {
	t.Helper()
	database, err := config.Secret(c.Secrets, "database")
	if err != nil {
		t.Fatal(err)
	}
	connection, err := pgx.Connect(t.Context(), postgres.URL(database))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(t.Context())) }()
	rows, err := connection.Query(t.Context(), statement)
	if err != nil {
		t.Fatalf("query: %v", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return found
}

func TestInsertReadsBackEveryField(t *testing.T) {
	s := migrated(t)
	full := sample(now())
	bare := sample(now().Add(-time.Second))
	bare.Severity, bare.ResourceType, bare.ResourceID, bare.Namespace, bare.ClusterName = "", "", "", "", ""
	mustInsert(t, s, 2, full, bare)

	page := mustQuery(t, s, store.Query{})
	if want := []event.Event{full, bare}; !reflect.DeepEqual(page.Events, want) {
		t.Errorf("events\n%+v, want\n%+v", page.Events, want)
	}
	if page.Total != 2 || page.More {
		t.Errorf("total %d more %t, want 2 false", page.Total, page.More)
	}
}

func TestInsertStoresAnIDOnce(t *testing.T) {
	s := migrated(t)
	first := sample(now())
	mustInsert(t, s, 1, first)
	mustInsert(t, s, 0, first)

	// The same id on another day, which is another partition: the first one wins.
	otherDay := first
	otherDay.Timestamp = now().AddDate(0, 0, -5)
	mustInsert(t, s, 0, otherDay)

	// The same id twice in one batch, beside a new one.
	second := sample(now())
	mustInsert(t, s, 1, second, second, first)

	if page := mustQuery(t, s, store.Query{}); page.Total != 2 {
		t.Errorf("total %d, want 2", page.Total)
	}
}

func TestInsertOfOverlappingBatchesAtOnce(t *testing.T) {
	s := migrated(t)
	events := make([]event.Event, 50)
	for i := range events {
		events[i] = sample(now())
	}
	var wait sync.WaitGroup
	var mutex sync.Mutex
	var total int64
	for worker := range 8 {
		batch := slices.Clone(events)
		if worker%2 == 1 {
			slices.Reverse(batch)
		}
		wait.Go(func() {
			stored, err := s.Insert(t.Context(), batch)
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				t.Errorf("insert: %v", err)
			}
			total += stored
		})
	}
	wait.Wait()
	if total != 50 {
		t.Errorf("%d events counted as new, want 50", total)
	}
	if page := mustQuery(t, s, store.Query{}); page.Total != 50 {
		t.Errorf("total %d, want 50", page.Total)
	}
}

func TestInsertIsAllOrNothing(t *testing.T) {
	s := migrated(t)
	good, bad := sample(now()), sample(now())
	bad.Outcome = "unheard-of"

	_, err := s.Insert(t.Context(), []event.Event{good, bad})
	if _, ok := errors.AsType[*store.RejectedError](err); !ok {
		t.Fatalf("error %v, want a RejectedError", err)
	}
	if page := mustQuery(t, s, store.Query{}); page.Total != 0 {
		t.Errorf("total %d, want 0", page.Total)
	}

	index, err := s.FirstRejected(t.Context(), []event.Event{good, bad, bad})
	if err != nil || index != 1 {
		t.Errorf("first rejected %d, %v, want 1, nil", index, err)
	}
	index, err = s.FirstRejected(t.Context(), []event.Event{good})
	if err != nil || index != -1 {
		t.Errorf("first rejected %d, %v, want -1, nil", index, err)
	}
	if page := mustQuery(t, s, store.Query{}); page.Total != 0 {
		t.Errorf("looking for the refused event stored %d events", page.Total)
	}
}

// An event that waited in the queue for months must find a place.
func TestInsertCreatesAMissingPartition(t *testing.T) {
	s := migrated(t)
	old := sample(time.Date(2025, 11, 30, 23, 59, 59, 999999000, time.UTC))
	mustInsert(t, s, 2, old, sample(now()))
	if page := mustQuery(t, s, store.Query{Until: old.Timestamp}); page.Total != 1 {
		t.Errorf("total %d, want 1", page.Total)
	}
}

// The lengths that are checked at acceptance are those of the columns; a longer column
// would be wasted, a shorter one would refuse what was accepted.
func TestColumnsAreAsLongAsTheRules(t *testing.T) {
	s := migrated(t)
	longest := sample(now())
	longest.Type = strings.Repeat("ä", event.MaxType)
	longest.Category = strings.Repeat("ä", event.MaxCategory)
	longest.Action = strings.Repeat("ä", event.MaxAction)
	longest.ActorType = strings.Repeat("ä", event.MaxActorType)
	longest.ActorID = strings.Repeat("ä", event.MaxActorID)
	longest.ResourceType = strings.Repeat("ä", event.MaxResourceType)
	longest.ResourceID = strings.Repeat("ä", event.MaxResourceID)
	longest.CorrelationID = strings.Repeat("ä", event.MaxCorrelationID)
	longest.Namespace = strings.Repeat("ä", event.MaxNamespace)
	longest.ClusterName = strings.Repeat("ä", event.MaxClusterName)
	mustInsert(t, s, 1, longest)

	for name, field := range map[string]func(*event.Event) *string{
		"event_type":     func(e *event.Event) *string { return &e.Type },
		"event_category": func(e *event.Event) *string { return &e.Category },
		"event_action":   func(e *event.Event) *string { return &e.Action },
		"actor_type":     func(e *event.Event) *string { return &e.ActorType },
		"actor_id":       func(e *event.Event) *string { return &e.ActorID },
		"resource_type":  func(e *event.Event) *string { return &e.ResourceType },
		"resource_id":    func(e *event.Event) *string { return &e.ResourceID },
		"correlation_id": func(e *event.Event) *string { return &e.CorrelationID },
		"namespace":      func(e *event.Event) *string { return &e.Namespace },
		"cluster_name":   func(e *event.Event) *string { return &e.ClusterName },
	} {
		tooLong := longest
		tooLong.ID = uuid.New()
		*field(&tooLong) += "ä"
		var rejected *store.RejectedError
		if _, err := s.Insert(t.Context(), []event.Event{tooLong}); !errors.As(err, &rejected) {
			t.Errorf("%s: error %v, want a RejectedError", name, err)
		}
	}
}

func TestDataThatJSONBRefuses(t *testing.T) {
	s := migrated(t)
	for _, data := range []string{`{"a": "\u0000"}`, `[]`, `{"a": 1e999999}`, `{`} {
		e := sample(now())
		e.Data = json.RawMessage(data)
		var rejected *store.RejectedError
		if _, err := s.Insert(t.Context(), []event.Event{e}); !errors.As(err, &rejected) {
			t.Errorf("%s: error %v, want a RejectedError", data, err)
		}
	}
}

func TestNewRefusesAnAddressWithoutPort(t *testing.T) {
	c := config.Default().PostgreSQL
	c.Address = "postgresql"
	if _, err := store.New(store.Options{PostgreSQL: c}, nil); err == nil {
		t.Error("no error")
	}
}
