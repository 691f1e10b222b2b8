package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
)

// Query selects events, newest first; events of the same microsecond are ordered by
// id, descending. An empty filter is not applied.
type Query struct {
	CorrelationID string
	Type          string
	Category      string
	Outcome       string
	Severity      string
	// Since and Until bound event_timestamp, both inclusive. Zero means unbounded.
	Since, Until time.Time
	// Limit is the number of events wanted, at least 1.
	Limit int
	// Offset skips that many events. It is ignored when After is set.
	Offset int
	// After continues behind this position. Nil means from the newest.
	After *Position
	// Total is what the first page of the same walk counted, so that the next ones
	// cost no count. Nil means that it is counted now.
	Total *int64
}

// Position is the place of an event in the order of every query.
type Position struct {
	Timestamp time.Time
	ID        uuid.UUID
}

// Page is the answer to a Query.
type Page struct {
	Events []event.Event
	// Total counts the events that match the filters, whatever the page; in a walk by
	// position it is the one of the first page.
	Total int64
	// More says that events follow this page.
	More bool
}

// selectEvents gives the id as text another name: ORDER BY event_id would mean that
// text, which no index has.
const selectEvents = `SELECT event_id::text AS id, event_version, event_timestamp, event_type, event_category, event_action, event_outcome,
       COALESCE(severity, ''), actor_type, actor_id, COALESCE(resource_type, ''), COALESCE(resource_id, ''),
       correlation_id, COALESCE(namespace, ''), COALESCE(cluster_name, ''), event_data::text
FROM audit_events`

// freshPlan makes PostgreSQL plan each query for its values. The plan for any value
// that it would settle on can neither tell a rare one from a frequent one nor use the
// index of the exceptions.
const freshPlan = pgx.QueryExecModeCacheDescribe

// Query returns one page. Page and count are taken from the same snapshot, so that
// they agree while events arrive.
func (s *Store) Query(ctx context.Context, q Query) (Page, error) {
	var page Page
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error {
		statement, arguments := q.page(q.filters())
		rows, err := tx.Query(ctx, statement, append([]any{freshPlan}, arguments...)...)
		if err != nil {
			return err
		}
		if page.Events, err = pgx.CollectRows(rows, scanEvent); err != nil {
			return err
		}
		page.Total, err = q.count(ctx, tx, len(page.Events))
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			s.suspect(err)
		}
		return Page{}, fmt.Errorf("query events: %w", err)
	}
	if len(page.Events) > q.Limit {
		page.Events, page.More = page.Events[:q.Limit], true
	}
	return page, nil
}

// count returns the total. It is asked for only when it does not follow: from the first
// page of the walk, or because this page, of which found rows were read, is the last.
func (q Query) count(ctx context.Context, tx pgx.Tx, found int) (total int64, err error) {
	switch {
	case q.Total != nil:
		return *q.Total, nil
	case q.After == nil && found <= q.Limit && (found > 0 || q.Offset == 0):
		return int64(q.Offset + found), nil
	}
	filters := q.filters()
	statement := "SELECT count(*) FROM audit_events" + filters.where()
	err = tx.QueryRow(ctx, statement, append([]any{freshPlan}, filters.arguments...)...).Scan(&total)
	return total, err
}

// conditions is a WHERE clause under construction.
type conditions struct {
	terms     []string
	arguments []any
}

// add appends a term in which ? stands for the next arguments.
func (c *conditions) add(term string, arguments ...any) {
	for _, argument := range arguments {
		c.arguments = append(c.arguments, argument)
		term = strings.Replace(term, "?", "$"+strconv.Itoa(len(c.arguments)), 1)
	}
	c.terms = append(c.terms, term)
}

func (c conditions) where() string {
	if len(c.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.terms, " AND ")
}

func (q Query) filters() conditions {
	var c conditions
	for _, filter := range []struct{ column, value string }{
		{"correlation_id", q.CorrelationID},
		{"event_type", q.Type},
		{"event_category", q.Category},
		{"event_outcome", q.Outcome},
		{"severity", q.Severity},
	} {
		if filter.value != "" {
			c.add(filter.column+" = ?", filter.value)
		}
	}
	// The conditions on event_date let PostgreSQL leave out whole partitions.
	if !q.Since.IsZero() {
		c.add("event_timestamp >= ? AND event_date >= ?", q.Since, day(q.Since))
	}
	if !q.Until.IsZero() {
		c.add("event_timestamp <= ? AND event_date <= ?", q.Until, day(q.Until))
	}
	return c
}

// page returns the statement that reads one event more than wanted: its presence says
// whether there are more.
func (q Query) page(c conditions) (string, []any) {
	offset := q.Offset
	if q.After != nil {
		offset = 0
		c.add("(event_timestamp, event_id) < (?, ?::uuid) AND event_date <= ?",
			q.After.Timestamp, q.After.ID.String(), day(q.After.Timestamp))
	}
	where := c.where()
	c.add("LIMIT ? OFFSET ?", q.Limit+1, offset)
	limit := c.terms[len(c.terms)-1]
	return selectEvents + where + " ORDER BY event_timestamp DESC, event_id DESC " + limit, c.arguments
}

func day(t time.Time) time.Time { return event.Event{Timestamp: t}.Date() }

func scanEvent(row pgx.CollectableRow) (event.Event, error) {
	var e event.Event
	var id, data string
	err := row.Scan(&id, &e.Version, &e.Timestamp, &e.Type, &e.Category, &e.Action, &e.Outcome, &e.Severity,
		&e.ActorType, &e.ActorID, &e.ResourceType, &e.ResourceID, &e.CorrelationID, &e.Namespace, &e.ClusterName, &data)
	if err != nil {
		return event.Event{}, err
	}
	if e.ID, err = uuid.Parse(id); err != nil {
		return event.Event{}, err
	}
	e.Timestamp = e.Timestamp.UTC()
	e.Data = []byte(data)
	return e, nil
}
