package signalprocessing

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hybrid-e2e/hybrid/pkg/audit"
)

func rulesFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	replaceRules(t, path, content)
	return path
}

func replaceRules(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestBadRulesStopTheStart(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "missing"):       "name their file with --rules",
		rulesFile(t, "priorities: [{priority: x}]"): "docs/signalprocessing.md shows good ones",
	} {
		err := Run(t.Context(), Options{Rules: path, DataStorageURL: "http://x", Log: log})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if err := Run(t.Context(), Options{Log: log}); err == nil || !strings.Contains(err.Error(), "set --datastorage-url") {
		t.Errorf("error %v", err)
	}
}

func TestRulesChangeWhileItRuns(t *testing.T) {
	path, metrics := rulesFile(t, goodRules), NewMetrics()
	ctx, stop := context.WithCancel(t.Context())
	steps := 0
	var l *liveRules
	// Each message brings the next step; the first comes when the file is watched.
	log := slog.New(slog.NewJSONHandler(onLine(func(line string) {
		switch steps++; steps {
		case 1:
			if !strings.Contains(line, "those before still hold") || l.now.Load().DefaultPriority != "P2" || testutil.ToFloat64(metrics.rulesCurrent) != 0 {
				t.Errorf("after bad rules: %s", line)
			}
			replaceRules(t, path, "default_priority: P0\npriorities: [{severity: info, priority: P1}]\n")
		case 2:
			if !strings.Contains(line, "the changed rules hold") || l.now.Load().DefaultPriority != "P0" || testutil.ToFloat64(metrics.rulesCurrent) != 1 {
				t.Errorf("after good rules: %s", line)
			}
			stop()
		}
	}), nil))
	l, err := loadRules(path, metrics, log)
	if err != nil {
		t.Fatal(err)
	}
	replaceRules(t, path, "nonsense: 1\n")
	if err := l.watch(ctx); err != nil {
		t.Error(err)
	}
	for outcome, want := range map[string]float64{reloadApplied: 1, reloadRefused: 1} {
		if got := testutil.ToFloat64(metrics.reloads.WithLabelValues(outcome)); got != want {
			t.Errorf("%s: %v, want %v", outcome, got, want)
		}
	}
}

// onLine is called with each line of a log.
type onLine func(string)

func (o onLine) Write(line []byte) (int, error) {
	o(string(line))
	return len(line), nil
}

func TestTheRulesNeedTheirFolder(t *testing.T) {
	l := &liveRules{path: filepath.Join(t.TempDir(), "missing", "rules.yaml")}
	if err := l.watch(t.Context()); err == nil || !strings.Contains(err.Error(), "watch the rules") {
		t.Errorf("error %v", err)
	}
}

func TestMetricsExistBeforeAnythingHappens(t *testing.T) {
	registry, m := prometheus.NewPedanticRegistry(), NewMetrics()
	registry.MustRegister(m)
	m.Audit(audit.Sent, 3)
	m.AuditBuffered(2)
	want := `
# HELP signalprocessing_audit_buffer_events Audit events that wait to be sent.
# TYPE signalprocessing_audit_buffer_events gauge
signalprocessing_audit_buffer_events 2
# HELP signalprocessing_audit_events_total Audit events by what became of them.
# TYPE signalprocessing_audit_events_total counter
signalprocessing_audit_events_total{outcome="lost"} 0
signalprocessing_audit_events_total{outcome="overflow"} 0
signalprocessing_audit_events_total{outcome="rejected"} 0
signalprocessing_audit_events_total{outcome="sent"} 3
# HELP signalprocessing_rules_reloads_total Changes of the rules while the process ran.
# TYPE signalprocessing_rules_reloads_total counter
signalprocessing_rules_reloads_total{outcome="applied"} 0
signalprocessing_rules_reloads_total{outcome="refused"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "signalprocessing_audit_buffer_events",
		"signalprocessing_audit_events_total", "signalprocessing_rules_reloads_total"); err != nil {
		t.Error(err)
	}
}
