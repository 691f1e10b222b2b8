package datastorage

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// What the specs ask PostgreSQL itself.
const (
	partitionsQuery = `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'audit_events'::regclass ORDER BY 1`
	idsQuery = `SELECT event_id FROM audit_events ORDER BY 1`
)

// psql is the client in PostgreSQL's container, as the user of DataStorage. Each -c is
// one statement of the same session.
const psql = `PGPASSWORD="$(cat /etc/secrets/postgresql/password)" psql --no-psqlrc --quiet --tuples-only --no-align ` +
	`--set=ON_ERROR_STOP=1 --host=/var/run/postgresql --username="$(cat /etc/secrets/postgresql/username)" ` +
	`--dbname="$(cat /etc/secrets/postgresql/database)"`

// sql runs statements in one session of PostgreSQL itself and returns the rows, each
// as one text.
func (s *system) sql(ctx context.Context, statements ...string) ([]string, error) {
	command := []string{psql}
	for _, statement := range statements {
		command = append(command, "-c '"+strings.ReplaceAll(statement, "'", `'\''`)+"'")
	}
	output, err := s.Execute(ctx, "postgresql", strings.Join(command, " "))
	if err != nil {
		return nil, err
	}
	if output = strings.TrimRight(output, "\n"); output == "" {
		return nil, nil
	}
	return strings.Split(output, "\n"), nil
}

// run is sql that must succeed.
func (s *system) run(ctx context.Context, statements ...string) []string {
	GinkgoHelper()
	rows, err := s.sql(ctx, statements...)
	Expect(err).NotTo(HaveOccurred())
	return rows
}

// redis runs one command of the queue's own server and returns its answer.
func (s *system) redis(ctx context.Context, command string) (string, error) {
	output, err := s.Execute(ctx, "redis", `REDISCLI_AUTH="$(cat /etc/secrets/redis/password)" redis-cli -h 127.0.0.1 `+command)
	return strings.TrimSpace(output), err
}

// waiting is the number of events in the queue.
func (s *system) waiting(ctx context.Context) (int, error) {
	answer, err := s.redis(ctx, "XLEN audit:queue")
	if err != nil {
		return 0, err
	}
	count, err := strconv.Atoi(answer)
	if err != nil {
		return 0, fmt.Errorf("redis answered %q: %w", answer, err)
	}
	return count, nil
}

// expectEmptyQueue asserts that nothing waits, and that nothing was given up.
func (s *system) expectEmptyQueue(ctx context.Context) {
	GinkgoHelper()
	for _, command := range []string{"XLEN audit:queue", "HLEN audit:queue:waiting", "XLEN audit:dead"} {
		Eventually(s.redis, settleBudget, look).WithContext(ctx).WithArguments(command).Should(Equal("0"), command)
	}
}

// monthsAhead is how many partitions there are beyond the current month.
const monthsAhead = 3

// monthsFrom names the partitions that there must be: from the month of oldest on.
func monthsFrom(oldest, now time.Time) []string {
	first := func(t time.Time) time.Time {
		return time.Date(t.UTC().Year(), t.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	var names []string
	for month := first(oldest); !month.After(first(now).AddDate(0, monthsAhead, 0)); month = month.AddDate(0, 1, 0) {
		names = append(names, month.Format("audit_events_2006_01"))
	}
	return names
}

// disturbed runs statements of which the end is not awaited: it holds a lock, or dies
// with the server. The function that is returned waits for it.
func (s *system) disturbed(ctx context.Context, statements ...string) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(done)
		if _, err := s.sql(ctx, statements...); err != nil {
			AddReportEntry("a session that was disturbed", ReportEntryVisibilityFailureOrVerbose, err.Error())
		}
	}()
	return func() { <-done }
}
