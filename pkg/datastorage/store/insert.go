package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
)

// insertEvents stores a batch in one statement, hence all or nothing in one round
// trip. The ids are claimed in their order, so that two batches that share events
// cannot lock each other out.
const insertEvents = `
WITH input AS (
    SELECT event_id::uuid, event_date, event_version, event_timestamp, event_type, event_category, event_action,
           event_outcome, NULLIF(severity, '') AS severity, actor_type, actor_id,
           NULLIF(resource_type, '') AS resource_type, NULLIF(resource_id, '') AS resource_id, correlation_id,
           NULLIF(namespace, '') AS namespace, NULLIF(cluster_name, '') AS cluster_name, event_data::jsonb AS event_data
    FROM unnest($1::text[], $2::date[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[])
      AS t(event_id, event_date, event_version, event_timestamp, event_type, event_category, event_action, event_outcome,
           severity, actor_type, actor_id, resource_type, resource_id, correlation_id, namespace, cluster_name, event_data)
), fresh AS (
    INSERT INTO audit_event_ids (event_id, event_date)
    SELECT event_id, event_date FROM input ORDER BY event_id
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id
)
INSERT INTO audit_events (event_id, event_date, event_version, event_timestamp, event_type, event_category, event_action,
    event_outcome, severity, actor_type, actor_id, resource_type, resource_id, correlation_id, namespace, cluster_name, event_data)
SELECT input.* FROM input JOIN fresh USING (event_id)
ON CONFLICT (event_id, event_date) DO NOTHING`

// RejectedError says that PostgreSQL can never store what it was given: the data is
// wrong, not the moment.
type RejectedError struct{ Err error }

// Error words the refusal for the log; it may quote the database.
func (e *RejectedError) Error() string { return fmt.Sprintf("PostgreSQL refused the data: %v", e.Err) }

// Unwrap returns the error of the driver.
func (e *RejectedError) Unwrap() error { return e.Err }

// executor is what insert needs: the pool, or one transaction of it.
type executor interface {
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
}

// Insert stores events, all or none, and returns how many were not there before. An
// id that is already stored is left as it is. An error is a *RejectedError when
// trying again is useless; every other error passes.
func (s *Store) Insert(ctx context.Context, events []event.Event) (int64, error) {
	unique := event.Unique(events)
	stored, err := insert(ctx, s.pool, unique)
	if isMissingPartition(err) {
		// An event that waited in the queue may be older than the partitions that
		// were ensured at start.
		if err = s.ensureMonths(ctx, monthsOf(unique)); err == nil {
			stored, err = insert(ctx, s.pool, unique)
		}
	}
	if err == nil {
		return stored, nil
	}
	if isRejected(err) {
		return 0, &RejectedError{Err: err}
	}
	if ctx.Err() == nil || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		s.suspect(err)
	}
	return 0, fmt.Errorf("store %d events: %w", len(unique), err)
}

// FirstRejected returns the index of the first event that PostgreSQL refuses, or -1.
// Nothing is stored.
func (s *Store) FirstRejected(ctx context.Context, events []event.Event) (int, error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return -1, fmt.Errorf("look for the refused event: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	for i := range events {
		if _, err := insert(ctx, tx, events[i:i+1]); err != nil {
			if isRejected(err) {
				return i, nil
			}
			return -1, fmt.Errorf("look for the refused event: %w", err)
		}
	}
	return -1, nil
}

func insert(ctx context.Context, on executor, events []event.Event) (int64, error) {
	tag, err := on.Exec(ctx, insertEvents, columns(events)...)
	if err != nil {
		return 0, err
	}
	return tag.RowsAffected(), nil
}

// columns turns events into one array per column.
func columns(events []event.Event) []any {
	text := func(value func(event.Event) string) []string {
		column := make([]string, len(events))
		for i, e := range events {
			column[i] = value(e)
		}
		return column
	}
	moment := func(value func(event.Event) time.Time) []time.Time {
		column := make([]time.Time, len(events))
		for i, e := range events {
			column[i] = value(e)
		}
		return column
	}
	return []any{
		text(func(e event.Event) string { return e.ID.String() }),
		moment(event.Event.Date),
		text(func(e event.Event) string { return e.Version }),
		moment(func(e event.Event) time.Time { return e.Timestamp }),
		text(func(e event.Event) string { return e.Type }),
		text(func(e event.Event) string { return e.Category }),
		text(func(e event.Event) string { return e.Action }),
		text(func(e event.Event) string { return e.Outcome }),
		text(func(e event.Event) string { return e.Severity }),
		text(func(e event.Event) string { return e.ActorType }),
		text(func(e event.Event) string { return e.ActorID }),
		text(func(e event.Event) string { return e.ResourceType }),
		text(func(e event.Event) string { return e.ResourceID }),
		text(func(e event.Event) string { return e.CorrelationID }),
		text(func(e event.Event) string { return e.Namespace }),
		text(func(e event.Event) string { return e.ClusterName }),
		text(func(e event.Event) string { return string(e.Data) }),
	}
}

func monthsOf(events []event.Event) []time.Time {
	seen := make(map[time.Time]struct{})
	var months []time.Time
	for _, e := range events {
		month := firstOfMonth(e.Timestamp)
		if _, ok := seen[month]; !ok {
			seen[month] = struct{}{}
			months = append(months, month)
		}
	}
	return months
}

// checkViolation is SQLSTATE check_violation. PostgreSQL also uses it for a row
// without a partition, and names a constraint only when there is one.
const checkViolation = "23514"

func isMissingPartition(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == checkViolation && answer.ConstraintName == ""
}

// isRejected reports whether the server itself judged the data: SQLSTATE classes 22
// (data exception), 23 (integrity) and 54 (program limit exceeded).
func isRejected(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) || len(answer.Code) != 5 || isMissingPartition(err) {
		return false
	}
	switch answer.Code[:2] {
	case "22", "23", "54":
		return true
	default:
		return false
	}
}

var _ executor = pgx.Tx(nil)
