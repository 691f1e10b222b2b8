package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// sampleReport is a small one: one load met its target, the other did not.
func sampleReport() Report {
	met := Result{
		Load: LoadNew, Offered: 110, Tally: Tally{Requests: 10, Good: 10, Created: 10, P50: 1, P99: 2, Max: 3}, Achieved: 110, Ratio: 1,
		Audit: Audit{20, 20}, Objects: Objects{30, 30}, Missed: []string{},
		Cores: map[string]float64{shareMachine: 1.5, "gateway": 0.25, shareServer: 1, "redis": 0.05, shareGenerator: 0.1},
	}
	missed := met
	missed.Load, missed.Tally = LoadDuplicates, Tally{Requests: 10, Good: 9, Errors: 1, Counted: 9, P99: 50, Reasons: []string{"answered 503, wanted 202"}}
	missed.Achieved, missed.Audit, missed.Objects = 499.96, Audit{9, 8}, Objects{39, 38}
	missed.Missed = targetOf(LoadDuplicates).judge(missed)
	return Report{
		Run: "r", Started: time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC), Command: "mage bench:gateway", Image: "gateway:1",
		Machine: Machine{2, 0.5}, Results: []Result{met, missed}, Problems: 20,
		Floors: []Floor{{Write: "count", Clients: 20, Writes: 1234, PerSecond: 123.4, P50: 5, P99: 60, Server: 1.25}},
	}
}

// hasLine finds a line in a text, however wide the gaps between its words are.
func hasLine(text, line string) bool {
	want := strings.Join(strings.Fields(line), " ")
	return slices.ContainsFunc(strings.Split(text, "\n"), func(one string) bool {
		return strings.Join(strings.Fields(one), " ") == want
	})
}

func TestReportSaysWhatWasMissed(t *testing.T) {
	r := sampleReport()
	if missed := targetOf(LoadNew).judge(r.Results[0]); len(missed) > 0 {
		t.Errorf("missed %q", missed)
	}
	want := []string{
		"1 of 10 requests were not answered as they should, wanted none",
		"500.0 per second, wanted at least 500",
		"p99 is 50.0 ms, wanted below 50ms",
		"8 audit events are stored, wanted exactly 9",
		"the requests in the cluster stand for 38 signals, accepted were 39",
	}
	if got := r.Results[1].Missed; !slices.Equal(got, want) || !r.Missed() {
		t.Errorf("missed %q", got)
	}
	if got := targetOf(LoadSoak).judge(Result{}); !slices.Equal(got, []string{"nothing was sent"}) {
		t.Errorf("missed %q", got)
	}
	dir := filepath.Join(t.TempDir(), "bench")
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "gateway.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"mage bench:gateway, 2026-11-25T01:02:03Z, gateway:1",
		"2 processors, load 0.50 before the start; duplicates are about 20 open requests",
		"audit events promised / stored 20 / 20 9 / 8",
		"CPU other pods, cores 0.05 0.05",
		"CPU outside pods, cores 0.10 0.10",
		"most CPU kube-apiserver kube-apiserver",
		"verdict met missed",
		"duplicates: error: answered 503, wanted 202",
		"count 20 1234 123.4 5.0 60.0 1.25",
	} {
		if !hasLine(string(text), line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	var read Report
	content, err := os.ReadFile(filepath.Join(dir, "gateway.json"))
	if err == nil {
		err = json.Unmarshal(content, &read)
	}
	if err != nil || !reflect.DeepEqual(read, r) {
		t.Errorf("read %+v, %v", read, err)
	}
}
