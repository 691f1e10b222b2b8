package server_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

func TestQueryParameters(t *testing.T) {
	date := func(month time.Month, day, hour int) time.Time {
		return time.Date(2026, month, day, hour, 0, 0, 0, time.UTC)
	}
	for raw, want := range map[string]store.Query{
		"":                    {Limit: 100},
		"limit=1000&offset=7": {Limit: 1000, Offset: 7},
		"correlation_id=rr-1": {Limit: 100, CorrelationID: "rr-1"},
		"event_type=a&severity=info&event_category=b&event_outcome=pending": {
			Limit: 100, Type: "a", Severity: "info", Category: "b", Outcome: "pending",
		},
		"since=2026-03-01T01:00:00%2B01:00&until=2026-03-02T00:00:00Z": {Limit: 100, Since: date(3, 1, 0), Until: date(3, 2, 0)},
		"since=2026-03-01&until=2026-03-01":                            {Limit: 100, Since: date(3, 1, 0), Until: date(3, 2, 0).Add(-time.Microsecond)},
		"since=24h":                                                    {Limit: 100, Since: date(3, 2, 12)},
		"since=7d&until=1h":                                            {Limit: 100, Since: date(2, 24, 12), Until: date(3, 3, 11)},
	} {
		s := storing(0)
		if answer := newFixture(s, nil).do(http.MethodGet, server.PathEvents+"?"+raw, ""); answer.Code != http.StatusOK {
			t.Errorf("%s: status %d: %s", raw, answer.Code, answer.Body)
		}
		if !reflect.DeepEqual(s.query, want) {
			t.Errorf("%s: query %+v, want %+v", raw, s.query, want)
		}
	}
}

func TestQueryRefuses(t *testing.T) {
	encode := func(text string) string { return "cursor=" + base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for raw, want := range map[string]string{
		"limit=0":                               "limit must be a number from 1 to 1000",
		"limit=1001":                            "limit must be a number from 1 to 1000",
		"limit=ten":                             "limit must be a number from 1 to 1000",
		"offset=-1":                             "offset must be a number from 0 to 1073741824",
		"event_outcome=maybe":                   "event_outcome must be one of success, failure, pending",
		"severity=loud":                         "severity must be one of critical, warning, info",
		"since=soon":                            "since must be RFC 3339, a date such as 2006-01-02, or a span such as 24h or 7d",
		"since=-1d":                             "since must be RFC 3339, a date such as 2006-01-02, or a span such as 24h or 7d",
		"until=99999999999h":                    "until must be RFC 3339, a date such as 2006-01-02, or a span such as 24h or 7d",
		"since=1h&until=2h":                     "since is later than until",
		"event_types=a":                         `"event_types" is not a parameter of this query`,
		"event_type=":                           "event_type must be given once and must not be empty",
		"limit=1&limit=2":                       "limit must be given once and must not be empty",
		"correlation_id=%00":                    "correlation_id must be UTF-8 without the character U+0000",
		"event_type=%ff":                        "event_type must be UTF-8 without the character U+0000",
		"event_type=%":                          "the query string is not valid",
		"cursor=!":                              "cursor is not one that this service gave out",
		"cursor=YQ":                             "cursor is not one that this service gave out",
		"cursor=YV9i":                           "cursor is not one that this service gave out",
		encode("1_" + uuid.NewString()):         "cursor is not one that this service gave out",
		encode("x_" + uuid.NewString() + "_1"):  "cursor is not one that this service gave out",
		encode("1_x_1"):                         "cursor is not one that this service gave out",
		encode("1_" + uuid.NewString() + "_x"):  "cursor is not one that this service gave out",
		encode("1_" + uuid.NewString() + "_-1"): "cursor is not one that this service gave out",
		encode("9223372036854775807_" + uuid.NewString() + "_1"): "cursor is not one that this service gave out",
	} {
		answer := newFixture(storing(0), nil).do(http.MethodGet, server.PathEvents+"?"+raw, "")
		mustProblem(t, answer, 400, "validation-error", want)
	}
}

func TestQueryAnswer(t *testing.T) {
	s := storing(0)
	e, err := event.Decode([]byte(valid()), event.Rules{Now: now(), MaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	s.page = store.Page{Events: []event.Event{e}, Total: 3, More: true}
	f := newFixture(s, nil)
	answer := f.do(http.MethodGet, server.PathEvents+"?limit=1&offset=1", "")
	var body struct {
		Data       []map[string]any
		Pagination map[string]any
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || answer.Code != http.StatusOK {
		t.Fatalf("status %d, %v", answer.Code, err)
	}
	var sent map[string]any
	if err := json.Unmarshal([]byte(valid()), &sent); err != nil {
		t.Fatal(err)
	}
	if len(body.Data) != 1 || !reflect.DeepEqual(body.Data[0], sent) {
		t.Errorf("data %v, want %v", body.Data, sent)
	}
	cursor, _ := body.Pagination["next_cursor"].(string)
	want := map[string]any{"limit": 1.0, "offset": 1.0, "total": 3.0, "has_more": true, "next_cursor": cursor}
	if cursor == "" || !reflect.DeepEqual(body.Pagination, want) {
		t.Errorf("pagination %v, want %v", body.Pagination, want)
	}

	// The cursor leads behind the last event of the page.
	s.page = store.Page{Total: 3}
	answer = f.do(http.MethodGet, server.PathEvents+"?limit=1&cursor="+cursor, "")
	if position := (store.Position{Timestamp: e.Timestamp, ID: e.ID}); s.query.After == nil || *s.query.After != position {
		t.Errorf("continues after %+v, want %+v", s.query.After, position)
	}
	if s.query.Total == nil || *s.query.Total != 3 {
		t.Errorf("counts again, or counted %v", s.query.Total)
	}
	if got, want := strings.TrimSpace(answer.Body.String()), `{"data":[],"pagination":{"limit":1,"offset":0,"total":3,"has_more":false}}`; got != want {
		t.Errorf("answer %s, want %s", got, want)
	}
	answer = f.do(http.MethodGet, server.PathEvents+"?offset=0&cursor="+cursor, "")
	mustProblem(t, answer, 400, "validation-error", "cursor and offset exclude each other")
}

func TestQueryWithoutDatabase(t *testing.T) {
	const detail = "The database cannot answer queries at the moment."
	failing := storing(0)
	failing.queryErr = errors.New("secret inside")
	mustProblem(t, newFixture(failing, nil).do(http.MethodGet, server.PathEvents, ""), 503, "service-unavailable", detail)
	down := storing(0)
	down.state.Up = false
	mustProblem(t, newFixture(down, nil).do(http.MethodGet, server.PathEvents, ""), 503, "service-unavailable", detail)
}
