package store_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

// fill stores as many events as a planner takes seriously, over the days of two months,
// every twentieth a failure, ten per correlation.
const fill = `WITH ids AS (
    INSERT INTO audit_event_ids SELECT gen_random_uuid(), date '2026-02-24' + (n % 8) FROM generate_series(1, 20000) n
    RETURNING event_id, event_date
), numbered AS (SELECT *, row_number() OVER () AS n FROM ids)
INSERT INTO audit_events (event_id, event_date, event_version, event_timestamp, event_type, event_category, event_action,
    event_outcome, severity, actor_type, actor_id, correlation_id, event_data)
SELECT event_id, event_date, '1.0', (event_date + n * interval '1 second' / 1000) AT TIME ZONE 'UTC', 'type-' || n % 10, 'gateway',
    'received', CASE WHEN n % 20 = 0 THEN 'failure' ELSE 'success' END, 'info', 'service', 'gateway', 'rr-' || n / 10, '{}'
FROM numbered`

// explain returns the plan of a statement, one node per line.
func explain(t *testing.T, c config.PostgreSQL, statement string, arguments []any) string {
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
	rows, err := connection.Query(t.Context(), "EXPLAIN "+statement, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("explain %s: %v", statement, err)
	}
	return strings.Join(lines, "\n")
}

func TestPlansPruneAndUseIndexes(t *testing.T) {
	c := postgres.Database(t)
	migratedIn(t, c, nil)
	execute(t, c, fill)
	execute(t, c, "VACUUM ANALYZE audit_events")
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	// The name of an index of a partition is made from its columns, and cut.
	const (
		byCorrelation = "correlation_id_event_timestamp_event_i"
		byTime        = "_event_timestamp_event_id_event_date"
		byType        = "event_type_event_timestamp_event_id"
		exceptions    = "event_outcome_event_timestamp_event"
		counting      = "event_type_event_category_event_o"
	)
	for name, test := range map[string]struct {
		query store.Query
		index string
		// months are the partitions that the plan may touch; nil means any.
		months []string
		count  bool
	}{
		"correlation":          {query: store.Query{CorrelationID: "rr-77"}, index: byCorrelation},
		"count of correlation": {query: store.Query{CorrelationID: "rr-77"}, index: byCorrelation, count: true},
		"newest":               {query: store.Query{}, index: byTime},
		"since":                {query: store.Query{Since: march}, index: byTime, months: []string{"2026_03", "2026_04", "2026_05", "2026_06"}},
		"until":                {query: store.Query{Until: march.Add(-time.Hour)}, index: byTime, months: []string{"2026_02"}},
		"after a position":     {query: store.Query{After: &store.Position{Timestamp: march.Add(-time.Hour)}}, index: byTime, months: []string{"2026_02"}},
		"type":                 {query: store.Query{Type: "type-3"}, index: byType},
		"failures":             {query: store.Query{Outcome: "failure"}, index: exceptions},
		"count of a type since": {
			query: store.Query{Type: "type-3", Since: march}, index: byType, count: true, months: []string{"2026_03", "2026_04", "2026_05", "2026_06"},
		},
		"count of failures since": {
			query: store.Query{Outcome: "failure", Since: march}, index: exceptions, count: true, months: []string{"2026_03", "2026_04", "2026_05", "2026_06"},
		},
		"count of a severity until": {
			query: store.Query{Severity: "info", Until: march.Add(-100 * time.Hour)}, index: byTime, count: true, months: []string{"2026_02"},
		},
		"count of a mixture": {query: store.Query{Type: "type-3", Outcome: "success"}, index: counting, count: true},
	} {
		t.Run(name, func(t *testing.T) {
			test.query.Limit = 100
			statement, arguments := test.query.Statement()
			if test.count {
				statement, arguments = test.query.CountStatement()
			}
			plan := explain(t, c, statement, arguments)
			if !strings.Contains(plan, test.index) {
				t.Errorf("no index *%s in\n%s", test.index, plan)
			}
			if test.count && !strings.Contains(plan, "Index Only Scan") {
				t.Errorf("rows are fetched to be counted in\n%s", plan)
			}
			if strings.Contains(plan, "Incremental Sort") {
				t.Errorf("the index does not give the order in\n%s", plan)
			}
			for _, month := range []string{"2026_02", "2026_03", "2026_04", "2026_05", "2026_06"} {
				touched := strings.Contains(plan, "audit_events_"+month)
				if want := test.months == nil || slices.Contains(test.months, month); touched != want {
					t.Errorf("partition %s touched: %t, want %t, in\n%s", month, touched, want, plan)
				}
			}
		})
	}
}
