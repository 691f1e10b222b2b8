package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// dropLockTimeout bounds the wait for the moment in which nobody uses the table. A
// waiting DROP holds up every write behind it, so it gives up soon and is tried again
// at the next look.
const dropLockTimeout = 500 * time.Millisecond

// Drop removes the partitions of the months before the retention, and the ids in them.
// Without a retention it does nothing. Each month is a transaction of its own: an
// interrupted drop leaves whole months.
func (s *Store) Drop(ctx context.Context) error {
	if s.options.Retention == 0 {
		return nil
	}
	oldest := firstOfMonth(s.options.Clock()).AddDate(0, -s.options.Retention, 0)
	names, err := s.partitionNames(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		month, err := time.Parse(partitionLayout, name)
		// Whatever else was attached was not made here and is not dropped here.
		if err != nil || !month.Before(oldest) {
			continue
		}
		if err := s.dropMonth(ctx, month); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "partition dropped, it is older than the retention",
			"name", name, "retention_months", s.options.Retention)
	}
	return nil
}

func (s *Store) partitionNames(ctx context.Context) ([]string, error) {
	var names []string
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		existing, err := partitions(ctx, tx)
		for name := range existing {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list partitions of audit_events: %w", err)
	}
	return names, nil
}

func (s *Store) dropMonth(ctx context.Context, month time.Time) error {
	name := partitionName(month)
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(partitionLock)); err != nil {
			return err
		}
		for _, statement := range []string{
			fmt.Sprintf("SET LOCAL lock_timeout = %d", dropLockTimeout.Milliseconds()),
			// Another replica may have dropped it since.
			"DROP TABLE IF EXISTS " + pgx.Identifier{name}.Sanitize(),
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "DELETE FROM audit_event_ids WHERE event_date >= $1 AND event_date < $2", month, month.AddDate(0, 1, 0))
		return err
	})
	if err != nil {
		return fmt.Errorf("drop partition %s: %w", name, err)
	}
	return nil
}
