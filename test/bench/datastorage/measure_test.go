package datastorage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
)

func TestRows(t *testing.T) {
	for text, want := range map[string]int{"": 1_000_000, "20000": 20_000, "many": 0, "9000": 0, "10500": 0, "20000000": 0} {
		rows, err := rowsFrom(func(string) string { return text })
		if (err == nil) != (want > 0) || err == nil && rows != want {
			t.Errorf("%q: %d, %v", text, rows, err)
		}
	}
}

// What is sent must be what DataStorage takes, and as mixed as the filters expect.
func TestEventsAreValid(t *testing.T) {
	s := newSource(20_000)
	rules := event.Rules{Now: time.Now(), MaxAge: 7 * 24 * time.Hour}
	events, err := event.DecodeBatch(s.batch(19_000), batchSize, rules)
	if err != nil {
		t.Fatal(err)
	}
	failures, correlations := 0, map[string]int{}
	for _, e := range events {
		correlations[e.CorrelationID]++
		if e.Outcome == "failure" {
			failures++
		}
	}
	if failures != batchSize/20 || len(correlations) != batchSize/perCorrelation || correlations[s.correlation(19_500)] != perCorrelation {
		t.Errorf("%d failures in %d correlations", failures, len(correlations))
	}
}

func TestTimes(t *testing.T) {
	var all times
	for n := range 200 {
		all = append(all, time.Duration(n)*time.Millisecond)
	}
	r := all.within(200, 2*time.Second, 150*time.Millisecond)
	if r.PerSecond != 100 || r.P50 != 100 || r.P99 != 198 || len(r.Missed) != 1 {
		t.Errorf("%+v", r)
	}
	if r := all.within(200, time.Second, time.Second); len(r.Missed) != 0 {
		t.Errorf("%+v", r)
	}
	if r := times(nil).result(0, time.Second); r.P99 != 0 {
		t.Errorf("%+v", r)
	}
}

func TestReport(t *testing.T) {
	r := Report{Results: []Result{
		{Name: "alone"}, {Name: "good", Target: "at least 1/s"}, {Name: "bad", Target: "at least 2/s", Missed: []string{"too slow"}},
	}}
	if !r.Missed() || (Report{Results: r.Results[:2]}).Missed() {
		t.Error("a target that was missed is not told, or another one is")
	}
	dir := filepath.Join(t.TempDir(), "bench")
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "datastorage.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"met", "missed: too slow"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
