package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/store"
)

func TestReady(t *testing.T) {
	const (
		upDown   = `{"postgresql":{"state":"up","migrated":true},"redis":{"state":"down"}}`
		downUp   = `{"postgresql":{"state":"down","migrated":true},"redis":{"state":"up"}}`
		upUp     = `{"postgresql":{"state":"up","migrated":true},"redis":{"state":"up"}}`
		downDown = `{"postgresql":{"state":"down","migrated":true},"redis":{"state":"down"}}`
		newUp    = `{"postgresql":{"state":"down","migrated":false},"redis":{"state":"up"}}`
	)
	for name, c := range map[string]struct {
		state    store.State
		queueUp  bool
		stopping bool
		stores   string
		problem  string
	}{
		"both up":         {state: store.State{Up: true, Migrated: true}, queueUp: true, stores: upUp},
		"queue down":      {state: store.State{Up: true, Migrated: true}, stores: upDown},
		"queue took over": {state: store.State{Migrated: true}, queueUp: true, stores: downUp},
		"both down": {
			state: store.State{Migrated: true}, stores: downDown, problem: "Neither the database nor the queue can take events.",
		},
		"never migrated": {queueUp: true, stores: newUp, problem: "The schema of the database is not ready yet."},
		"stopping": {
			state: store.State{Up: true, Migrated: true}, queueUp: true, stopping: true, stores: upUp,
			problem: "The service is shutting down.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := storing(0)
			s.state, s.queueUp = c.state, c.queueUp
			f := newFixture(s, nil)
			if c.stopping {
				f.Stopping()
			}
			answer := f.do(http.MethodGet, server.PathReady, "")
			if c.problem != "" {
				// The members of a problem with extensions are sorted by name.
				body := mustProblem(t, answer, 503, "service-unavailable", c.problem)
				if got := string(body.Stores); got != c.stores {
					t.Errorf("stores %s, want %s", got, c.stores)
				}
			} else if got, want := strings.TrimSpace(answer.Body.String()), `{"status":"ready","stores":`+c.stores+`}`; answer.Code != 200 || got != want {
				t.Errorf("status %d, body %s, want %s", answer.Code, got, want)
			}
			if got, want := strings.TrimSpace(f.do(http.MethodGet, server.PathHealth, "").Body.String()), `{"status":"alive","stores":`+c.stores+`}`; got != want {
				t.Errorf("health %s, want %s", got, want)
			}
			if answer := f.do(http.MethodGet, server.PathLive, ""); answer.Code != 200 || answer.Body.String() != `{"status":"alive"}`+"\n" {
				t.Errorf("live %d %s", answer.Code, answer.Body)
			}
		})
	}
}

func TestUnknownRoutesAreProblems(t *testing.T) {
	f := newFixture(storing(0), nil)
	mustProblem(t, f.do(http.MethodGet, "/nope", ""), 404, "not-found", "There is nothing at this path.")
	for path, want := range map[string]string{
		server.PathEvents: "GET, POST", server.PathBatch: "POST", server.PathReady: "GET",
	} {
		answer := f.do("BREW", path, "")
		mustProblem(t, answer, 405, "method-not-allowed", "This path does not take the method BREW.")
		if got := strings.Join(answer.Header().Values("Allow"), ", "); got != want {
			t.Errorf("%s: Allow %q, want %q", path, got, want)
		}
	}
	body := f.scrape()
	for _, want := range []string{
		`datastorage_http_request_duration_seconds_count{endpoint="unmatched",method="GET",status="404"} 1`,
		`method="other",status="405"} `,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no metric %s", want)
		}
	}
}
