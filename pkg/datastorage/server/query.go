package server

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// The bounds of limit and its default.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

type page struct {
	Data       []event.Event `json:"data"`
	Pagination pagination    `json:"pagination"`
}

type pagination struct {
	Limit   int   `json:"limit"`
	Offset  int   `json:"offset"`
	Total   int64 `json:"total"`
	HasMore bool  `json:"has_more"`
	// NextCursor continues behind the last event of the page. Empty, and then left
	// out, when there are no more.
	NextCursor string `json:"next_cursor,omitempty"`
}

func (s *Server) queryEvents(w http.ResponseWriter, r *http.Request) {
	query, err := parseQuery(r.URL.RawQuery, s.Clock())
	if err != nil {
		problem.Write(w, r, problem.Problem{Type: problem.TypeValidation, Detail: err.Error()})
		return
	}
	if !s.Reader.State().Up {
		s.queryUnavailable(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.config.Query.Timeout)
	defer cancel()
	found, err := s.Reader.Query(ctx, query)
	if err != nil {
		s.Log.WarnContext(r.Context(), "query failed", "request_id", problem.RequestID(r.Context()), "error", err.Error())
		s.queryUnavailable(w, r)
		return
	}
	answer := page{Data: found.Events, Pagination: pagination{
		Limit: query.Limit, Offset: query.Offset, Total: found.Total, HasMore: found.More,
	}}
	if answer.Data == nil {
		answer.Data = []event.Event{}
	}
	if found.More {
		last := found.Events[len(found.Events)-1]
		answer.Pagination.NextCursor = encodeCursor(store.Position{Timestamp: last.Timestamp, ID: last.ID}, found.Total)
	}
	s.answer(w, r, http.StatusOK, answer)
}

func (s *Server) queryUnavailable(w http.ResponseWriter, r *http.Request) {
	problem.Write(w, r, problem.Problem{
		Type: problem.TypeServiceUnavailable, RetryAfter: retryAfter,
		Detail: "The database cannot answer queries at the moment.",
	})
}

// parseQuery reads the parameters. One that is unknown, given twice or empty is an
// error: ignoring a misspelt filter would answer with everything.
func parseQuery(raw string, now time.Time) (store.Query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return store.Query{}, errors.New("the query string is not valid")
	}
	query := store.Query{Limit: defaultLimit}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	// Sorted, so that the same request always gets the same answer.
	slices.Sort(names)
	for _, name := range names {
		if len(values[name]) != 1 || values[name][0] == "" {
			return store.Query{}, fmt.Errorf("%s must be given once and must not be empty", name)
		}
		if err := setParameter(&query, name, values[name][0], now); err != nil {
			return store.Query{}, err
		}
	}
	if query.After != nil && values.Has("offset") {
		return store.Query{}, errors.New("cursor and offset exclude each other")
	}
	if !query.Since.IsZero() && !query.Until.IsZero() && query.Since.After(query.Until) {
		return store.Query{}, errors.New("since is later than until")
	}
	return query, nil
}

func setParameter(query *store.Query, name, value string, now time.Time) (err error) {
	switch name {
	case "correlation_id":
		query.CorrelationID, err = text(name, value)
	case "event_type":
		query.Type, err = text(name, value)
	case "event_category":
		query.Category, err = text(name, value)
	case "event_outcome":
		query.Outcome, err = oneOf(name, value, event.Outcomes())
	case "severity":
		query.Severity, err = oneOf(name, value, event.Severities())
	case "since":
		query.Since, err = parseMoment(name, value, now, startOfDay)
	case "until":
		query.Until, err = parseMoment(name, value, now, endOfDay)
	case "limit":
		query.Limit, err = number(name, value, 1, maxLimit)
	case "offset":
		query.Offset, err = number(name, value, 0, 1<<30)
	case "cursor":
		query.After, query.Total, err = decodeCursor(value)
	default:
		err = fmt.Errorf("%q is not a parameter of this query", name)
	}
	return err
}

func text(name, value string) (string, error) {
	// PostgreSQL has no such text, so nothing could match.
	if strings.ContainsRune(value, 0) || strings.ToValidUTF8(value, "") != value {
		return "", fmt.Errorf("%s must be UTF-8 without the character U+0000", name)
	}
	return value, nil
}

func oneOf(name, value string, allowed []string) (string, error) {
	if !slices.Contains(allowed, value) {
		return "", fmt.Errorf("%s must be one of %s", name, strings.Join(allowed, ", "))
	}
	return value, nil
}

func number(name, value string, least, most int) (int, error) {
	parsed, err := strconv.Atoi(value)
	if err != nil || parsed < least || parsed > most {
		return 0, fmt.Errorf("%s must be a number from %d to %d", name, least, most)
	}
	return parsed, nil
}

// startOfDay and endOfDay say which moment a date means: since a day includes it, and
// so does until.
func startOfDay(day time.Time) time.Time { return day }

func endOfDay(day time.Time) time.Time { return day.AddDate(0, 0, 1).Add(-time.Microsecond) }

// maxSpan bounds relative times, so that the arithmetic cannot overflow.
const maxSpan = 100 * 365 * 24

// parseMoment reads RFC 3339, a date (UTC), or a span before now such as 24h or 7d.
func parseMoment(name, value string, now time.Time, ofDay func(time.Time) time.Time) (time.Time, error) {
	if moment, err := time.Parse(time.RFC3339Nano, value); err == nil {
		return moment.UTC(), nil
	}
	if day, err := time.Parse(time.DateOnly, value); err == nil {
		return ofDay(day), nil
	}
	for suffix, hours := range map[string]int{"h": 1, "d": 24} {
		digits, ok := strings.CutSuffix(value, suffix)
		if !ok {
			continue
		}
		if count, err := number(name, digits, 0, maxSpan/hours); err == nil {
			return now.UTC().Add(-time.Duration(count*hours) * time.Hour), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s must be RFC 3339, a date such as 2006-01-02, or a span such as 24h or 7d", name)
}

// A cursor is opaque to the client: the time in microseconds, the id, and the total of
// the first page, which is counted once per walk.
func encodeCursor(position store.Position, total int64) string {
	return base64.RawURLEncoding.EncodeToString(
		fmt.Appendf(nil, "%d_%s_%d", position.Timestamp.UnixMicro(), position.ID, total))
}

var errCursor = errors.New("cursor is not one that this service gave out")

func decodeCursor(value string) (*store.Position, *int64, error) {
	decoded, err := base64.RawURLEncoding.DecodeString(value)
	parts := strings.Split(string(decoded), "_")
	if err != nil || len(parts) != 3 {
		return nil, nil, errCursor
	}
	micros, err := strconv.ParseInt(parts[0], 10, 64)
	moment := time.UnixMicro(micros).UTC()
	// PostgreSQL's own range is narrower than that of the number.
	if err != nil || moment.Year() < 1 || moment.Year() > 9999 {
		return nil, nil, errCursor
	}
	id, err := uuid.Parse(parts[1])
	if err != nil {
		return nil, nil, errCursor
	}
	total, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || total < 0 {
		return nil, nil, errCursor
	}
	return &store.Position{Timestamp: moment, ID: id}, &total, nil
}
