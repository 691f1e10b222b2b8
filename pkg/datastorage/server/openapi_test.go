package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/recorder"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
	"github.com/hybrid-e2e/hybrid/pkg/openapitest"
)

func document(t *testing.T) *openapitest.Document {
	t.Helper()
	answer := newFixture(storing(0), nil).do(http.MethodGet, server.PathOpenAPI, "")
	d, err := openapitest.Parse(answer.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// routes returns the routes of the router, such as "GET /health", sorted.
func routes(t *testing.T) []string {
	t.Helper()
	var found []string
	err := chi.Walk(newFixture(storing(0), nil).handler.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		found = append(found, method+" "+route)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

func TestTheDocumentHasTheRoutesOfTheRouter(t *testing.T) {
	if got, want := document(t).Routes(), routes(t); !slices.Equal(got, want) {
		t.Errorf("the document has\n%s\nthe router\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheDocumentHasTheValuesOfTheCode(t *testing.T) {
	d := document(t)
	for name, want := range map[string][]string{
		"Outcome": event.Outcomes(), "Severity": event.Severities(),
		"Status": {string(recorder.Stored), string(recorder.Queued)},
	} {
		slices.Sort(want)
		if got := d.Enum(name); !slices.Equal(got, want) {
			t.Errorf("%s: the document has %q, the code %q", name, got, want)
		}
	}
}

// exchange is one request and what comes of it.
type exchange struct {
	name, method, target, body string
	mediaType                  string
	stores                     *stores
	change                     func(*config.Config)
	verdict                    openapitest.Verdict
	status                     int
}

func outcome(o recorder.Outcome, err error) *stores {
	s := storing(1)
	s.record = func(context.Context, []event.Event) (recorder.Outcome, error) { return o, err }
	return s
}

func panicking() *stores {
	s := storing(1)
	s.record = func(context.Context, []event.Event) (recorder.Outcome, error) { panic("a mistake") }
	return s
}

// writes are the exchanges of both routes that take events.
func writes(path string, body func(...string) string) []exchange {
	one := body(valid())
	queued := outcome(recorder.Outcome{Status: recorder.Queued}, nil)
	refused := outcome(recorder.Outcome{}, &recorder.RefusedError{Index: 0, Err: errors.New("refused")})
	noRoom := func(c *config.Config) { c.Server.MaxInFlight = 0 }
	small := func(c *config.Config) { c.Server.MaxEventBytes, c.Server.MaxBatchBytes = 10, 10 }
	post := func(e exchange) exchange {
		e.method, e.target = http.MethodPost, path
		return e
	}
	all := []exchange{
		{name: "stored", body: one, status: 201},
		{name: "no media type", body: one, mediaType: "none", status: 201},
		{name: "queued", body: one, stores: queued, status: 202},
		{name: "refused by the database", body: one, stores: refused, status: 400},
		{name: "nobody takes it", body: one, stores: outcome(recorder.Outcome{}, recorder.ErrUnavailable), status: 503},
		{name: "no slot", body: one, change: noRoom, status: 503},
		{name: "too large", body: one, change: small, status: 413},
		{name: "text", body: one, mediaType: "text/plain", verdict: openapitest.Faulty, status: 415},
		{name: "panic", body: one, stores: panicking(), status: 500},
		{name: "empty", verdict: openapitest.Faulty, status: 400},
		{name: "cut off", body: one[:len(one)-1], verdict: openapitest.Faulty, status: 400},
		{name: "old", body: strings.Replace(one, "2026-03-03T", "2025-03-03T", 1), status: 400},
		{name: "no time", body: strings.Replace(one, "2026-03-03T11:59:59.5Z", "noon", 1), verdict: openapitest.Faulty, status: 400},
	}
	for old, replacement := range map[string]string{
		`"` + id + `"`:               `"7"`,
		`"1.0"`:                      `"2.0"`,
		`"event_type": "gateway`:     `"event_type": "` + strings.Repeat("x", event.MaxType),
		`"event_outcome": "success"`: `"event_outcome": "maybe"`,
		`"actor_id": "gateway"`:      `"actor_id": ""`,
		`"correlation_id": "rr-1",`:  ``,
		`"event_data": {}`:           `"event_data": []`,
		`"event_version"`:            `"colour": "red", "event_version"`,
	} {
		all = append(all, exchange{
			name: replacement, body: strings.Replace(one, old, replacement, 1), verdict: openapitest.Faulty, status: 400,
		})
	}
	for i := range all {
		all[i] = post(all[i])
	}
	return all
}

func queries() []exchange {
	found := storing(0)
	e, err := event.Decode([]byte(valid()), event.Rules{Now: now(), MaxAge: config.Default().Events.MaxAge})
	if err != nil {
		panic(err)
	}
	found.page = store.Page{Events: []event.Event{e}, Total: 3, More: true}
	down := storing(0)
	down.state.Up = false
	broken := storing(0)
	broken.queryErr = errors.New("broken")
	all := []exchange{
		{name: "nothing", status: 200},
		{name: "found", stores: found, target: "?correlation_id=rr-1&limit=1", status: 200},
		{
			name: "everything", status: 200,
			target: "?event_type=a&event_category=b&event_outcome=failure&severity=info&since=7d&until=2026-03-03T12:00:00Z&offset=10",
		},
		{name: "PostgreSQL is away", stores: down, status: 503},
		{name: "PostgreSQL fails", stores: broken, status: 503},
		{name: "both ways", target: "?offset=0&cursor=MF8wMTkwZDJjNC03ZTFmLTdjM2EtOWI1Ny0yZjRkM2MxYjBhOTlfMQ", status: 400},
		{name: "foreign cursor", target: "?cursor=YQ", status: 400},
		{name: "backwards", target: "?since=1h&until=2h", status: 400},
		{name: "unknown parameter", target: "?colour=red", status: 400},
	}
	for _, faulty := range []string{"limit=0", "limit=1001", "offset=-1", "event_outcome=maybe", "severity=loud", "since=soon", "event_type=", "cursor=!"} {
		all = append(all, exchange{name: faulty, target: "?" + faulty, verdict: openapitest.Faulty, status: 400})
	}
	for i := range all {
		all[i].method, all[i].target = http.MethodGet, server.PathEvents+all[i].target
	}
	return all
}

// A query that panics needs a reader that does.
type panickingReader struct{ *stores }

func (panickingReader) Query(context.Context, store.Query) (store.Page, error) { panic("a mistake") }

func others() []exchange {
	down := storing(0)
	down.state.Up, down.queueUp = false, false
	get := func(name, path string, s *stores, status int) exchange {
		return exchange{name: name, method: http.MethodGet, target: path, stores: s, status: status}
	}
	return []exchange{
		get("health", server.PathHealth, nil, 200), get("health without stores", server.PathHealth, down, 200),
		get("live", server.PathLive, down, 200),
		get("ready", server.PathReady, nil, 200), get("not ready", server.PathReady, down, 503),
		get("document", server.PathOpenAPI, nil, 200),
		get("nowhere", "/nowhere", nil, 404),
		{name: "delete", method: http.MethodDelete, target: server.PathReady, status: 405},
	}
}

// TestTheDocumentDescribesEveryExchange sends requests to real handlers. A new refusal
// gets a line in one of the tables; a new answer, one in openapi.yaml too.
func TestTheDocumentDescribesEveryExchange(t *testing.T) {
	d := document(t)
	send := func(e exchange, handler http.Handler) {
		request := httptest.NewRequest(e.method, e.target, strings.NewReader(e.body))
		if e.method == http.MethodPost && e.mediaType != "none" {
			request.Header.Set("Content-Type", "application/json")
			if e.mediaType != "" {
				request.Header.Set("Content-Type", e.mediaType)
			}
		}
		answer, err := d.Send(handler, request, e.verdict)
		if err != nil {
			t.Errorf("%s: %v\n%s", e.name, err, answer.Body)
		}
		if answer.Code != e.status {
			t.Errorf("%s: %d, want %d: %s", e.name, answer.Code, e.status, answer.Body)
		}
	}
	single := func(events ...string) string { return events[0] }
	for _, e := range slices.Concat(writes(server.PathEvents, single), writes(server.PathBatch, batchOf), queries(), others()) {
		if e.stores == nil {
			e.stores = storing(1)
		}
		send(e, newFixture(e.stores, e.change).handler)
	}
	send(exchange{name: "no event", method: http.MethodPost, target: server.PathBatch, body: batchOf(), verdict: openapitest.Faulty, status: 400},
		newFixture(storing(0), nil).handler)
	f := newFixture(storing(0), nil)
	f.Reader = panickingReader{}
	send(exchange{name: "panic", method: http.MethodGet, target: server.PathEvents, status: 500}, f.handler)
	if unseen := d.Unseen(); len(unseen) > 0 {
		t.Errorf("the document promises what no exchange showed: %q", unseen)
	}
}
