package server

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/doctest"
	"github.com/hybrid-e2e/hybrid/pkg/openapitest"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// shownID is the id that every request has on the page of the API.
const shownID = "5f0c9a52-1d3e-4b7a-9c55-2f6f0c1e8d34"

// page reads one of the Gateway's pages.
func page(t *testing.T, name string) doctest.Page {
	t.Helper()
	read, err := doctest.Read("../../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// tableOf returns the only table of a page with the columns.
func tableOf(t *testing.T, name string, columns ...string) doctest.Table {
	t.Helper()
	found, err := page(t, name).Table(columns...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return found
}

func TestThePageHasTheRoutesAndTheirAnswers(t *testing.T) {
	d := document(t)
	var shown []string
	for _, row := range tableOf(t, "gateway.md", "Port", "Route", "Takes", "Answers").Rows {
		port, answers := row[0], strings.Fields(row[3])
		for route := range strings.SplitSeq(row[1], ", ") {
			if port == "9090" {
				continue // Run serves it, and its test asks for it.
			}
			shown = append(shown, route)
			if want := d.Statuses(route); !slices.Equal(answers, want) {
				t.Errorf("%s: the page has the answers %q, the document %q", route, answers, want)
			}
		}
	}
	slices.Sort(shown)
	if want := routes(t); !slices.Equal(shown, want) {
		t.Errorf("the page has %q, the router %q", shown, want)
	}
}

// TestTheExamplesAnswerAsThePageShows runs the blocks in sh from the top of the page
// to its end against one Gateway, with an empty cluster at first. As many blocks in
// http follow each as it sends requests. Only the id of the request is masked: it
// must be a UUID, and stands on the page as shownID. Each exchange must be one that
// the document describes, too.
func TestTheExamplesAnswerAsThePageShows(t *testing.T) {
	handler := described{t: t, document: document(t), handler: handlerOf(t, nil)}
	shell := doctest.Shell{
		Handler: handler, Now: clock(), Env: []string{"TOKEN=" + tokenSender, "GATEWAY=http://gateway:8080"},
	}
	var answers []*httptest.ResponseRecorder
	examples := 0
	for _, block := range page(t, "gateway/api.md").Blocks {
		switch block.Language {
		case "sh":
			if len(answers) > 0 {
				t.Errorf("line %d: %d answers before are not shown", block.Line, len(answers))
			}
			var err error
			if answers, err = shell.Run(t.Context(), block.Text); err != nil {
				t.Fatalf("line %d: %v", block.Line, err)
			}
		case "http":
			if len(answers) == 0 {
				t.Fatalf("line %d: there is no answer", block.Line)
			}
			if err := doctest.Matches(block.Text, masked(t, answers[0])); err != nil {
				t.Errorf("line %d: %v", block.Line, err)
			}
			answers = answers[1:]
			examples++
		}
	}
	if len(answers) > 0 || examples < 10 {
		t.Errorf("%d examples, %d answers are not shown", examples, len(answers))
	}
}

// described asks the handler, and wants the exchange in the document.
type described struct {
	t        *testing.T
	document *openapitest.Document
	handler  http.Handler
}

func (d described) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The page shows faulty requests for what they are answered.
	answer, err := d.document.Send(d.handler, r.Clone(context.WithoutCancel(r.Context())), openapitest.Sound)
	if err != nil && answer.Code < http.StatusBadRequest {
		d.t.Error(err)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func masked(t *testing.T, answer *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	t.Helper()
	id := answer.Header().Get("X-Request-ID")
	if _, err := uuid.Parse(id); err != nil {
		t.Errorf("the id of the request: %v", err)
	}
	answer.Header().Set("X-Request-ID", shownID)
	text := strings.ReplaceAll(answer.Body.String(), id, shownID)
	answer.Body.Reset()
	answer.Body.WriteString(text)
	return answer
}

func TestThePageHasTheProblems(t *testing.T) {
	types, err := doctest.Constants("../../problem", "Type*")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string, len(types))
	for _, kind := range types {
		recorder := httptest.NewRecorder()
		problem.Write(recorder, httptest.NewRequest(http.MethodGet, "/", nil), problem.Problem{Type: kind})
		var written problem.Problem
		if err := json.Unmarshal(recorder.Body.Bytes(), &written); err != nil {
			t.Fatal(err)
		}
		want[strings.TrimPrefix(kind, problem.Base)] = strconv.Itoa(written.Status) + " " + written.Title
	}
	for _, row := range tableOf(t, "gateway/api.md", "Type", "Status", "Title", "When", "Send again").Rows {
		if got := row[1] + " " + row[2]; got != want[row[0]] {
			t.Errorf("%s: the page has %q, the code %q", row[0], got, want[row[0]])
		}
		delete(want, row[0])
	}
	if len(want) > 0 {
		t.Errorf("the page lacks %v", want)
	}
}
