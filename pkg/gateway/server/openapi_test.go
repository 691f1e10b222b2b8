package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/hybrid-e2e/hybrid/pkg/doctest"
	"github.com/hybrid-e2e/hybrid/pkg/openapitest"
)

func TestTheDocumentHasTheRoutesOfTheRouter(t *testing.T) {
	if got, want := document(t).Routes(), routes(t); !slices.Equal(got, want) {
		t.Errorf("the document has\n%s\nthe router\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheDocumentHasTheValuesOfTheCode(t *testing.T) {
	d := document(t)
	for _, test := range []struct {
		documented []string
		folder     string
		constants  string
	}{
		{d.Enum("Severity"), "../../../api/remediation/v1alpha1", "Severity"},
		{d.Enum("Status"), ".", "Status"},
		{d.Enum("Problem", "type"), "../../problem", "Type*"},
	} {
		want, err := doctest.Constants(test.folder, test.constants)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(test.documented, want) {
			t.Errorf("%s: the document has %q, the code %q", test.constants, test.documented, want)
		}
	}
}

// TestTheDocumentDescribesEveryExchange sends real requests in their order. A new
// refusal gets a line in one of the tables; a new answer, one in openapi.yaml too.
func TestTheDocumentDescribesEveryExchange(t *testing.T) {
	d := document(t)
	shared := handlerOf(t, nil)
	for _, e := range slices.Concat(webhookExchanges(PathPrometheus), webhookExchanges(PathAlertmanager), eventExchanges(t), otherExchanges()) {
		handler := shared
		if e.gateway != nil {
			handler = handlerOf(t, e.gateway)
		}
		answer, err := d.Send(handler, e.request(), e.verdict)
		if err != nil {
			t.Errorf("%s: %v\n%s", e.name, err, answer.Body)
		}
		if answer.Code != e.status {
			t.Errorf("%s: %d, want %d: %s", e.name, answer.Code, e.status, answer.Body)
		}
	}
	if unseen := d.Unseen(); len(unseen) > 0 {
		t.Errorf("the document promises what no exchange showed: %q", unseen)
	}
}

func TestTheDocumentIsAskedForAgainByItsTag(t *testing.T) {
	handler := handlerOf(t, nil)
	ask := func(tags ...string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodGet, PathOpenAPI, nil)
		request.Header["If-None-Match"] = tags
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder
	}
	first := ask()
	if !json.Valid(first.Body.Bytes()) || first.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%v %.100s", first.Header(), first.Body)
	}
	tag := first.Header().Get("ETag")
	for name, test := range map[string]struct {
		tags []string
		want int
	}{
		"the same":   {[]string{tag}, 304},
		"weakened":   {[]string{"W/" + tag}, 304},
		"a list":     {[]string{`"a", ` + tag}, 304},
		"two lines":  {[]string{`"a"`, tag}, 304},
		"another":    {[]string{`"a"`}, 200},
		"not quoted": {[]string{strings.Trim(tag, `"`)}, 200},
	} {
		got := ask(test.tags...)
		if got.Code != test.want || got.Header().Get("ETag") != tag || (got.Code == 304) != (got.Body.Len() == 0) {
			t.Errorf("%s: %d %v", name, got.Code, got.Header())
		}
	}
}

func document(t *testing.T) *openapitest.Document {
	t.Helper()
	served, err := newReference()
	if err != nil {
		t.Fatal(err)
	}
	d, err := openapitest.Parse(served.document)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func handlerOf(t *testing.T, adjust func(*Server)) http.Handler {
	t.Helper()
	s, _ := newGateway(t, adjust)
	handler, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// routes returns the routes of the router, such as "GET /health", sorted.
func routes(t *testing.T) []string {
	t.Helper()
	var found []string
	err := chi.Walk(handlerOf(t, nil).(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		found = append(found, method+" "+route)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}
