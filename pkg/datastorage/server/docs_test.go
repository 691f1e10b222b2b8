package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/server"
	"github.com/hybrid-e2e/hybrid/pkg/doctest"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

const docs = "../../../docs/"

// pages are all of DataStorage's.
func pages() []string {
	return []string{
		"datastorage.md", "datastorage/api.md", "datastorage/configuration.md", "datastorage/metrics.md", "datastorage/runbook.md",
	}
}

func tableOf(t *testing.T, name string, columns ...string) doctest.Table {
	t.Helper()
	page, err := doctest.Read(docs + name)
	if err != nil {
		t.Fatal(err)
	}
	table, err := page.Table(columns...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return table
}

func TestThePageHasTheRoutesAndTheirAnswers(t *testing.T) {
	d := document(t)
	var shown []string
	for _, row := range tableOf(t, "datastorage.md", "Port", "Route", "Takes", "Answers").Rows {
		if row[0] == "9090" {
			continue // The service serves it, and its test asks for it.
		}
		for route := range strings.SplitSeq(row[1], ", ") {
			shown = append(shown, route)
			if got, want := strings.Fields(row[3]), d.Statuses(route); !slices.Equal(got, want) {
				t.Errorf("%s: the page has the answers %q, the document %q", route, got, want)
			}
		}
	}
	slices.Sort(shown)
	if want := routes(t); !slices.Equal(shown, want) {
		t.Errorf("the page has %q, the router %q", shown, want)
	}
}

// shownID is the id that every request has on the page of the API.
const shownID = "5f0c9a52-1d3e-4b7a-9c55-2f6f0c1e8d34"

func TestTheExamplesAnswerAsThePageShows(t *testing.T) {
	page, err := doctest.Read(docs + "datastorage/api.md")
	if err != nil {
		t.Fatal(err)
	}
	shell := doctest.Shell{Handler: newFixture(storing(1), nil).handler, Now: now(), Env: []string{"DATASTORAGE=http://datastorage:8080"}}
	var answers []*httptest.ResponseRecorder
	examples := 0
	for _, block := range page.Blocks {
		switch block.Language {
		case "sh":
			if answers, err = shell.Run(t.Context(), block.Text); err != nil {
				t.Fatalf("line %d: %v", block.Line, err)
			}
		case "http":
			if len(answers) != 1 {
				t.Fatalf("line %d: %d answers", block.Line, len(answers))
			}
			if err := doctest.Matches(block.Text, masked(t, answers[0])); err != nil {
				t.Errorf("line %d: %v", block.Line, err)
			}
			answers = nil
			examples++
		}
	}
	if examples != 3 {
		t.Errorf("%d examples, want 3", examples)
	}
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

func TestThePageHasTheFieldsAndTheirLengths(t *testing.T) {
	lengths := map[string]int{
		"event_type": event.MaxType, "event_category": event.MaxCategory, "event_action": event.MaxAction,
		"actor_type": event.MaxActorType, "actor_id": event.MaxActorID, "resource_type": event.MaxResourceType,
		"resource_id": event.MaxResourceID, "correlation_id": event.MaxCorrelationID,
		"namespace": event.MaxNamespace, "cluster_name": event.MaxClusterName,
	}
	var shown []string
	for _, row := range tableOf(t, "datastorage/api.md", "Field", "Rule").Rows {
		shown = append(shown, row[0])
		if most, bounded := lengths[row[0]]; bounded && !strings.HasSuffix(row[1], "at most "+strconv.Itoa(most)+" characters") {
			t.Errorf("%s: %q, the code has %d", row[0], row[1], most)
		}
	}
	encoded, err := json.Marshal(event.Event{Severity: "info", ResourceType: "a", ResourceID: "a", Namespace: "a", ClusterName: "a", Data: json.RawMessage("{}")})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(encoded, &fields); err != nil {
		t.Fatal(err)
	}
	slices.Sort(shown)
	if want := slices.Sorted(maps.Keys(fields)); !slices.Equal(shown, want) {
		t.Errorf("the page has %q, the event %q", shown, want)
	}
}

func TestThePageHasTheParameters(t *testing.T) {
	shown := tableOf(t, "datastorage/api.md", "Parameter", "Meaning").Column("Parameter")
	for _, name := range shown {
		if answer := newFixture(storing(0), nil).do(http.MethodGet, server.PathEvents+"?"+name+"=", ""); !strings.Contains(answer.Body.String(), "must not be empty") {
			t.Errorf("%s is no parameter: %s", name, answer.Body)
		}
	}
	// Every parameter of the document is one of the handlers, see its test.
	source, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`name: (\w+)(?:, |\n +)in: query`).FindAllStringSubmatch(string(source), -1) {
		if !slices.Contains(shown, match[1]) {
			t.Errorf("the page lacks %s", match[1])
		}
	}
}

func TestThePageHasTheProblems(t *testing.T) {
	answered := map[string]string{}
	for _, e := range slices.Concat(writes(server.PathEvents, func(events ...string) string { return events[0] }), queries(), others()) {
		if e.stores == nil {
			e.stores = storing(1)
		}
		mediaType := "application/json"
		if e.mediaType != "" {
			mediaType = e.mediaType
		}
		answer := newFixture(e.stores, e.change).do(e.method, e.target, e.body, "Content-Type", mediaType)
		var p problem.Problem
		if json.Unmarshal(answer.Body.Bytes(), &p) == nil && p.Type != "" {
			answered[strings.TrimPrefix(p.Type, problem.Base)] = strconv.Itoa(answer.Code)
		}
	}
	shown := map[string]string{}
	for _, row := range tableOf(t, "datastorage/api.md", "Type", "Status", "When", "Send again").Rows {
		shown[row[0]] = row[1]
	}
	if !maps.Equal(shown, answered) {
		t.Errorf("the page has %v, answered were %v", shown, answered)
	}
}

func TestThePageHasTheMetrics(t *testing.T) {
	f := newFixture(storing(1), nil)
	for _, kind := range []string{"single", "batch"} {
		f.metrics.Write(kind, metrics.ResultStored, 1, 0)
	}
	f.do(http.MethodPost, server.PathEvents, valid())
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(f.scrape()))
	if err != nil {
		t.Fatal(err)
	}
	registered, values := map[string]string{}, map[string]map[string]bool{}
	for name, family := range families {
		if !strings.HasPrefix(name, "datastorage_") {
			continue
		}
		labels := map[string]bool{}
		for _, one := range family.GetMetric() {
			for _, label := range one.GetLabel() {
				labels[label.GetName()] = true
				if values[label.GetName()] == nil {
					values[label.GetName()] = map[string]bool{}
				}
				values[label.GetName()][label.GetValue()] = true
			}
		}
		registered[name] = strings.ToLower(family.GetType().String()) + " " + strings.Join(slices.Sorted(maps.Keys(labels)), ", ")
	}
	shown := map[string]string{}
	for _, row := range tableOf(t, "datastorage/metrics.md", "Name", "Type", "Labels", "Meaning").Rows {
		shown[row[0]] = row[1] + " " + row[2]
	}
	if !maps.Equal(shown, registered) {
		t.Errorf("the page has\n%v\nthe registry\n%v", shown, registered)
	}
	for _, row := range tableOf(t, "datastorage/metrics.md", "Label", "Values").Rows {
		if want := strings.Join(slices.Sorted(maps.Keys(values[row[0]])), ", "); row[1] != want {
			t.Errorf("%s: the page has %q, the registry %q", row[0], row[1], want)
		}
	}
	named := regexp.MustCompile(`\bdatastorage_[a-z_]+\b`)
	for _, name := range pages() {
		content, err := os.ReadFile(docs + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, metric := range named.FindAllString(string(content), -1) {
			if registered[metric] == "" {
				t.Errorf("%s: there is no metric %s", name, metric)
			}
		}
	}
}

func TestTheRunbookHasAnEntryForEverything(t *testing.T) {
	reasons, err := doctest.Constants("../metrics", "Reason*")
	if err != nil {
		t.Fatal(err)
	}
	shown := tableOf(t, "datastorage/runbook.md", "Reason", "It means", "Do").Column("Reason")
	slices.Sort(shown)
	if !slices.Equal(shown, reasons) {
		t.Errorf("the runbook has the reasons %q, the code %q", shown, reasons)
	}
	messages := tableOf(t, "datastorage/runbook.md", "Message", "It means", "Do").Column("Message")
	folders, err := filepath.Glob("../*")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, folder := range append(folders, "..") {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil || len(files) == 0 {
			continue
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(content)
		}
		alarms, err := doctest.Alarms(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, alarm := range alarms {
			if !slices.Contains(messages, alarm) {
				t.Errorf("the runbook lacks %q", alarm)
			}
		}
	}
	for _, message := range messages {
		if !strings.Contains(sources.String(), strconv.Quote(message)) {
			t.Errorf("nothing logs %q", message)
		}
	}
}
