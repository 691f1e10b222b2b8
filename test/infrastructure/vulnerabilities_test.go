package infrastructure

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
)

func TestVulnerabilitiesAreLookedForWhereTheDatabaseAnswers(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/index/db.json" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	line := "go tool -modfile=tools/go.mod govulncheck -db=" + server.URL + " " + strings.Join(UnitTested(), " ")
	r := &command.Recorder{Replies: map[string]command.Reply{line: {Stdout: "No vulnerabilities found.\n"}}}
	var out bytes.Buffer
	if err := vulnerabilities(t.Context(), r, "", &out, server.URL); err != nil || out.String() != "No vulnerabilities found.\n" || !slices.Equal(r.Calls(), []string{line}) {
		t.Errorf("error %v, output %q, calls %q", err, out.String(), r.Calls())
	}
	status = http.StatusForbidden
	for _, want := range []string{"answers 403 Forbidden", "connection refused"} {
		out.Reset()
		if err := vulnerabilities(t.Context(), r, "", &out, server.URL); err != nil || !strings.Contains(out.String(), "not looked for") || !strings.Contains(out.String(), want) {
			t.Errorf("error %v, output %q, want %q", err, out.String(), want)
		}
		server.Close()
	}
	if calls := r.Calls(); len(calls) != 1 {
		t.Errorf("calls %q", calls)
	}
}
