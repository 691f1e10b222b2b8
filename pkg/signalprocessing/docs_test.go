package signalprocessing

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hybrid-e2e/hybrid/pkg/doctest"
)

func page(t *testing.T) doctest.Page {
	t.Helper()
	read, err := doctest.Read("../../docs/signalprocessing.md")
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestThePageShowsGoodRules(t *testing.T) {
	for _, block := range page(t).Blocks {
		if block.Section == "Rules" {
			if rules := parsed(t, block.Text); len(rules.Priorities) != 4 {
				t.Errorf("got %+v", rules)
			}
			return
		}
	}
	t.Error("the page shows no rules")
}

func TestThePageHasTheMetrics(t *testing.T) {
	m := NewMetrics()
	m.enrichedAs("production", "P0")
	registry := prometheus.NewRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, family := range families {
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName())
		}
		want[family.GetName()] = strings.ToLower(family.GetType().String()) + " " + strings.Join(labels, ", ")
	}
	got := map[string]string{}
	for _, table := range page(t).Tables {
		if table.Section == "Metrics" {
			for _, row := range table.Rows {
				got[row[0]] = row[1] + " " + row[2]
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("the page has %v, the code %v", got, want)
	}
}

func TestTheRunbookHasEachAlarm(t *testing.T) {
	var runbook strings.Builder
	for _, table := range page(t).Tables {
		if table.Section == "Runbook" {
			for _, row := range table.Rows {
				runbook.WriteString(row[0] + "\n")
			}
		}
	}
	var alarms []string
	for _, folder := range []string{".", "../audit"} {
		found, err := doctest.Alarms(folder)
		if err != nil {
			t.Fatal(err)
		}
		alarms = append(alarms, found...)
	}
	missing := slices.DeleteFunc(slices.Clone(alarms), func(alarm string) bool { return strings.Contains(runbook.String(), alarm) })
	if len(alarms) != 5 || len(missing) > 0 {
		t.Errorf("of %d alarms the runbook lacks %q", len(alarms), missing)
	}
}
