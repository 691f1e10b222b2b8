package server

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/hybrid-e2e/hybrid/pkg/doctest"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// family is a metric as a scrape shows it.
type family struct {
	kind   string
	labels []string                   // in the order of the alphabet
	values map[string]map[string]bool // by label
}

// scraped returns the metrics after everything that they can tell has happened.
func scraped(t *testing.T) map[string]family {
	t.Helper()
	s, registry := newGateway(t, nil)
	for _, kind := range errorTypes(t) {
		s.Metrics.CreationFailed(kind)
	}
	for _, route := range append(routes(t), "GET unmatched") {
		_, endpoint, _ := strings.Cut(route, " ")
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "BREW"} {
			s.Metrics.Observe(endpoint, method, 200, time.Millisecond)
		}
	}
	return gathered(t, registry)
}

func gathered(t *testing.T, registry *prometheus.Registry) map[string]family {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]family)
	for _, one := range families {
		f := family{kind: strings.ToLower(one.GetType().String()), values: make(map[string]map[string]bool)}
		for _, metric := range one.GetMetric() {
			for _, label := range metric.GetLabel() {
				if f.values[label.GetName()] == nil {
					f.values[label.GetName()] = make(map[string]bool)
				}
				f.values[label.GetName()][label.GetValue()] = true
			}
		}
		f.labels = slices.Sorted(maps.Keys(f.values))
		found[one.GetName()] = f
	}
	return found
}

func errorTypes(t *testing.T) []string {
	t.Helper()
	types, err := doctest.Returns("../processing", "ErrorType")
	if err != nil {
		t.Fatal(err)
	}
	return types
}

// words splits a cell at its commas.
func words(cell string) []string {
	found := slices.DeleteFunc(strings.Split(cell, ", "), func(word string) bool { return word == "" })
	slices.Sort(found)
	return found
}

func TestThePageHasTheMetrics(t *testing.T) {
	registered := scraped(t)
	for _, row := range tableOf(t, "gateway/metrics.md", "Name", "Type", "Labels", "Meaning").Rows {
		name, kind, labels := row[0], row[1], words(row[2])
		want, found := registered[name]
		if !found || kind != want.kind || !slices.Equal(labels, want.labels) || row[3] == "" {
			t.Errorf("%s: the page has %s %q, the registry %s %q", name, kind, labels, want.kind, want.labels)
		}
		delete(registered, name)
	}
	if len(registered) > 0 {
		t.Errorf("the page lacks %v", registered)
	}
}

// openLabel is the only label without a closed set of values.
const openLabel = "status of gateway_http_request_duration_seconds"

func TestThePageHasTheLabelValues(t *testing.T) {
	shown := make(map[string]string)
	for _, row := range tableOf(t, "gateway/metrics.md", "Label", "Values").Rows {
		shown[row[0]] = row[1]
	}
	used := make(map[string]bool)
	for name, metric := range scraped(t) {
		for label, values := range metric.values {
			row := label + " of " + name
			if _, own := shown[row]; !own {
				row = label
			}
			used[row] = true
			if want := slices.Sorted(maps.Keys(values)); row != openLabel && !slices.Equal(words(shown[row]), want) {
				t.Errorf("%s: the page has %q for %s, the registry %q", name, shown[row], label, want)
			}
		}
	}
	if len(used) != len(shown) {
		t.Errorf("the page has labels %q, the registry %q", slices.Sorted(maps.Keys(shown)), slices.Sorted(maps.Keys(used)))
	}
}

// TestThePagesNameMetricsThatExist looks at every query and sentence.
func TestThePagesNameMetricsThatExist(t *testing.T) {
	registered := scraped(t)
	named := regexp.MustCompile(`\b(gateway_[a-z_]+?)(_bucket|_sum|_count)?\b(?:\{(\w+)=(~?)"([^"]+)"\})?`)
	paths, err := filepath.Glob("../../../docs/gateway/*.md")
	if err != nil || len(paths) != 4 {
		t.Fatalf("pages %q, %v", paths, err)
	}
	for _, path := range append(paths, "../../../docs/gateway.md") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range named.FindAllStringSubmatch(string(content), -1) {
			name, label, values := match[1], match[3], []string{match[5]}
			metric, found := registered[name]
			if !found {
				t.Errorf("%s: there is no metric %s", path, name)
			}
			if match[4] != "" {
				values = strings.Split(match[5], `\|`) // A table escapes the bar.
			}
			for _, value := range values {
				if label != "" && label != "status" && !metric.values[label][value] {
					t.Errorf("%s: %s has no %s=%q", path, name, label, value)
				}
			}
		}
	}
}

// TestThePageHasThePermissions compares rule by rule: the page leaves none out, and
// promises none.
func TestThePageHasThePermissions(t *testing.T) {
	content, err := os.ReadFile("../../../manifests/gateway/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var roles []rbacv1.ClusterRole
	bound := make(map[string]string)
	for manifest := range strings.SplitSeq(string(content), "\n---\n") {
		// Both kinds have their own members, so each decodes what is its own.
		var role rbacv1.ClusterRole
		var binding rbacv1.ClusterRoleBinding
		if err := errors.Join(yaml.Unmarshal([]byte(manifest), &role), yaml.Unmarshal([]byte(manifest), &binding)); err != nil {
			t.Fatal(err)
		}
		if role.Kind == "ClusterRole" {
			roles = append(roles, role)
		}
		for _, subject := range binding.Subjects {
			bound[binding.RoleRef.Name] += subject.Namespace + "/" + subject.Name
		}
	}
	var want []string
	for _, role := range roles {
		for _, rule := range role.Rules {
			to := bound[role.Name]
			if to == "" {
				to = "nobody"
			}
			target := strings.Join(slices.Concat(rule.Resources, rule.NonResourceURLs), ", ")
			want = append(want, strings.Join([]string{role.Name, to, strings.Join(rule.APIGroups, ", "), target, strings.Join(rule.Verbs, ", ")}, " | "))
		}
	}
	var shown []string
	for _, row := range tableOf(t, "gateway.md", "ClusterRole", "Bound to", "API group", "Resource or path", "Verbs", "For").Rows {
		shown = append(shown, strings.Join(row[:5], " | "))
	}
	if !slices.Equal(shown, want) {
		t.Errorf("the page has\n%s\nthe manifest\n%s", strings.Join(shown, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheRunbookHasAnEntryForEverything(t *testing.T) {
	types, err := doctest.Constants("../../problem", "Type*")
	if err != nil {
		t.Fatal(err)
	}
	for i := range types {
		types[i] = strings.TrimPrefix(types[i], problem.Base)
	}
	reasons, err := doctest.Constants("../metrics", "Reason")
	if err != nil {
		t.Fatal(err)
	}
	for column, want := range map[string][]string{
		"Problem": types, "Reason": reasons, "Error type": errorTypes(t), "Message": alarms(t),
	} {
		table := tableOf(t, "gateway/runbook.md", column, "It means", "Do")
		var shown []string
		for _, row := range table.Rows {
			entry, _, _ := strings.Cut(row[0], " (") // Problems have their status beside them.
			shown = append(shown, entry)
			if row[1] == "" || row[2] == "" {
				t.Errorf("%s does not say what it means or what to do", entry)
			}
		}
		slices.Sort(shown)
		if !slices.Equal(shown, want) {
			t.Errorf("%s: the runbook has\n%s\nthe code\n%s", column, strings.Join(shown, "\n"), strings.Join(want, "\n"))
		}
	}
}

// alarms returns the warnings and errors that the Gateway logs, in all its packages and in
// the one that it shares.
func alarms(t *testing.T) []string {
	t.Helper()
	folders, err := filepath.Glob("../*")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]bool)
	for _, folder := range append(folders, "../../audit") {
		found, err := doctest.Alarms(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range found {
			all[message] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
