package signalprocessing

import (
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

const goodRules = `
environment_label: team/env
default_environment: none
default_priority: P2
priorities:
  - {environment: production, severity: critical, priority: P0}
  - {environment: production, priority: P1}
  - {severity: info, priority: P3}
`

func parsed(t *testing.T, content string) *Rules {
	t.Helper()
	r, err := ParseRules([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	r := parsed(t, goodRules)
	for _, c := range []struct {
		environment string
		severity    v1alpha1.Severity
		want        v1alpha1.Priority
	}{
		{"production", "critical", "P0"},
		{"production", "warning", "P1"},
		{"production", "info", "P1"},
		{"staging", "info", "P3"},
		{"staging", "critical", "P2"},
		{"none", "warning", "P2"},
	} {
		if got := r.Priority(c.environment, c.severity); got != c.want {
			t.Errorf("%s in %s: %s, want %s", c.severity, c.environment, got, c.want)
		}
	}
}

func TestTheEnvironmentIsThatOfTheLabel(t *testing.T) {
	r := parsed(t, goodRules)
	for _, c := range []struct {
		labels map[string]string
		want   string
		source v1alpha1.EnvironmentSource
	}{
		{map[string]string{"team/env": "staging"}, "staging", "namespace-label"},
		{map[string]string{"team/env": ""}, "none", "default"},
		{nil, "none", "default"},
	} {
		if got, source := r.Environment(c.labels); got != c.want || source != c.source {
			t.Errorf("%v: %s from %s", c.labels, got, source)
		}
	}
	for environment, want := range map[string]string{"production": "production", "none": "none", "qa": "other"} {
		if got := r.bounded(environment); got != want {
			t.Errorf("%s counts as %s", environment, got)
		}
	}
}

func TestWhatIsLeftOutHasDefaults(t *testing.T) {
	r := parsed(t, "priorities: [{priority: P1}]")
	if r.EnvironmentLabel != "kubernaut.ai/environment" || r.DefaultEnvironment != "unknown" || r.DefaultPriority != "P3" {
		t.Errorf("got %+v", r)
	}
}

func TestBadRulesAreRefusedAllAtOnce(t *testing.T) {
	for content, wants := range map[string][]string{
		"":              {"priorities must have a rule"},
		"priority: []":  {"line 1: field priority not found"},
		"priorities: [": {"did not find"},
		"environment_label: a b\ndefault_environment: ''\ndefault_priority: P9\n": {
			`environment_label "a b" is no label`, `default_environment "" must be`, `default_priority "P9" must be one of [P0 P1 P2 P3]`, "priorities must have a rule",
		},
		"priorities: [{environment: 'a b', severity: loud, priority: urgent}]": {
			`priorities[0].environment "a b" is no value of a label`,
			`priorities[0].severity "loud" must be one of [critical warning info]`, `priorities[0].priority "urgent" must be one of`,
		},
		"priorities: [{severity: info, priority: P3}, {severity: info, environment: a, priority: P1}]": {
			"priorities[1] never decides: priorities[0] matches all that it matches",
		},
	} {
		_, err := ParseRules([]byte(content))
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: error %v, want %q", content, err, want)
			}
		}
	}
}
