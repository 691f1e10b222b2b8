package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// monthsAhead is how many partitions exist beyond the current month.
const monthsAhead = 3

// partitionLock is the advisory lock under which replicas create partitions, one
// after the other. The number only has to differ from the one of the migrations.
const partitionLock = 7_402_118_335_101

// EnsurePartitions creates the partitions that events of the next months need, and
// the one of the oldest event that is still accepted.
func (s *Store) EnsurePartitions(ctx context.Context) error {
	now := s.options.Clock().UTC()
	return s.ensureMonths(ctx, monthsBetween(now.Add(-s.options.OldestEvent), now, monthsAhead))
}

// monthsBetween returns the first days of the months from oldest to ahead months
// after now.
func monthsBetween(oldest, now time.Time, ahead int) []time.Time {
	last := firstOfMonth(now).AddDate(0, ahead, 0)
	var months []time.Time
	for month := firstOfMonth(oldest); !month.After(last); month = month.AddDate(0, 1, 0) {
		months = append(months, month)
	}
	return months
}

func firstOfMonth(t time.Time) time.Time {
	year, month, _ := t.UTC().Date()
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

// partitionLayout is the name of a partition as a layout of its month.
const partitionLayout = "audit_events_2006_01"

func partitionName(month time.Time) string { return month.Format(partitionLayout) }

// ensureMonths creates the partitions that are missing, all in one transaction.
func (s *Store) ensureMonths(ctx context.Context, months []time.Time) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(partitionLock)); err != nil {
			return err
		}
		existing, err := partitions(ctx, tx)
		if err != nil {
			return err
		}
		for _, month := range months {
			if _, ok := existing[partitionName(month)]; ok {
				continue
			}
			if err := createPartition(ctx, tx, month); err != nil {
				return err
			}
			s.log.InfoContext(ctx, "partition created", "name", partitionName(month))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ensure partitions of audit_events: %w", err)
	}
	return nil
}

func partitions(ctx context.Context, tx pgx.Tx) (map[string]struct{}, error) {
	rows, err := tx.Query(ctx, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'audit_events'::regclass`)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	existing := make(map[string]struct{}, len(names))
	for _, name := range names {
		existing[name] = struct{}{}
	}
	return existing, nil
}

// createPartition makes the table first and attaches it afterwards: attaching does
// not block writers of other months, CREATE TABLE ... PARTITION OF would.
func createPartition(ctx context.Context, tx pgx.Tx, month time.Time) error {
	name := pgx.Identifier{partitionName(month)}.Sanitize()
	statements := []string{
		fmt.Sprintf("CREATE TABLE %s (LIKE audit_events INCLUDING ALL)", name),
		fmt.Sprintf("ALTER TABLE audit_events ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')",
			name, month.Format(time.DateOnly), month.AddDate(0, 1, 0).Format(time.DateOnly)),
	}
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return fmt.Errorf("partition %s: %w", partitionName(month), err)
		}
	}
	return nil
}
