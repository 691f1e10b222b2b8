package bench

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestOptionsHaveBounds(t *testing.T) {
	want := Options{
		Duration: 30 * time.Second, NewRate: 101, DuplicateRate: 505, RefusalRate: 505, SoakRate: 200, Problems: 5, Connections: 96,
	}
	if got, err := OptionsFrom(environment(nil)); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	given := map[string]string{
		"BENCH_DURATION": "1m", "BENCH_SOAK": "10m", "BENCH_RATE_NEW": "1", "BENCH_RATE_DUPLICATES": "2",
		"BENCH_RATE_REFUSALS": "3", "BENCH_RATE_SOAK": "4", "BENCH_PROBLEMS": "6", "BENCH_CONNECTIONS": "5",
	}
	want = Options{
		Duration: time.Minute, Soak: 10 * time.Minute, NewRate: 1, DuplicateRate: 2, RefusalRate: 3, SoakRate: 4, Problems: 6, Connections: 5,
	}
	got, err := OptionsFrom(environment(given))
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	command := "BENCH_DURATION=1m0s BENCH_SOAK=10m0s BENCH_RATE_NEW=1 BENCH_RATE_DUPLICATES=2 BENCH_RATE_REFUSALS=3" +
		" BENCH_RATE_SOAK=4 BENCH_PROBLEMS=6 BENCH_CONNECTIONS=5 mage bench:gateway"
	if got.command() != command {
		t.Errorf("got %s", got.command())
	}
	wrong := map[string]string{
		"BENCH_DURATION": "1s", "BENCH_SOAK": "6m", "BENCH_RATE_NEW": "0", "BENCH_RATE_DUPLICATES": "x",
		"BENCH_RATE_REFUSALS": "5001", "BENCH_RATE_SOAK": "-1", "BENCH_PROBLEMS": "1001", "BENCH_CONNECTIONS": "513",
	}
	_, err = OptionsFrom(environment(wrong))
	for name := range wrong {
		if err == nil || !strings.Contains(err.Error(), name+"=") {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
}

func TestLoadsStayOnThisMachine(t *testing.T) {
	for address, fine := range map[string]bool{
		"http://127.0.0.1:30080": true, "http://localhost:30080": false, "https://127.0.0.1": false,
		"http://gateway.example": false, "http://127.0.0.1.example": false, "": false, ":": false,
	} {
		if err := local(address); (err == nil) != fine {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestFiguresAreReadAsTheyAreWritten(t *testing.T) {
	now := time.Unix(100, 0)
	state, err := parseState([]byte("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.5\n"+
		"# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 2e6\n"+
		"# TYPE go_memstats_heap_inuse_bytes gauge\ngo_memstats_heap_inuse_bytes 3\n# TYPE go_goroutines gauge\ngo_goroutines 4\n"+
		"# TYPE gateway_audit_buffer_events gauge\ngateway_audit_buffer_events 5\n"), now)
	if want := (gatewayState{sample{now, 1.5, 2e6}, 3, 4, 5}); err != nil || state != want {
		t.Errorf("got %+v, %v", state, err)
	}
	if _, err := parseState([]byte("go_goroutines 4\n"), now); err == nil || !strings.Contains(err.Error(), "have no single") {
		t.Errorf("got %v", err)
	}
	server, err := parseProcess([]byte("# HELP x\nx{a=\"b c\"} 1\nprocess_cpu_seconds_total 12.5\nprocess_resident_memory_bytes 4e8\n"), now)
	if want := (sample{now, 12.5, 4e8}); err != nil || server != want {
		t.Errorf("got %+v, %v", server, err)
	}
	for _, text := range []string{"", "process_cpu_seconds_total x\nprocess_resident_memory_bytes 1\n"} {
		if _, err := parseProcess([]byte(text), now); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	used, err := parseSummary([]byte(`{"pods":[{"containers":[{"name":"etcd","cpu":{"time":"2026-11-25T00:00:01Z","usageCoreNanoSeconds":2000000000},` +
		`"memory":{"rssBytes":7}},{"name":"new"}]}]}`))
	want := map[string]sample{"etcd": {time.Date(2026, 11, 25, 0, 0, 1, 0, time.UTC), 2, 7}}
	if err != nil || !reflect.DeepEqual(used, want) {
		t.Errorf("got %v, %v", used, err)
	}
}

func TestSoakComparesItsTwoEnds(t *testing.T) {
	from := time.Unix(0, 0)
	to := from.Add(10 * time.Minute)
	var states []gatewayState
	for at := from; !at.After(to); at = at.Add(time.Second) {
		// The first minute is larger than all others, and does not count.
		minute := at.Sub(from).Minutes()
		memory := 50 + minute
		if minute < 1 {
			memory = 500
		}
		states = append(states, gatewayState{sample: sample{at: at, memory: memory * (1 << 20)}})
	}
	got := drift(states, from, to, func(s gatewayState) float64 { return s.memory })
	if got.Early < 52.4 || got.Early > 52.6 || got.Late < 58.4 || got.Late > 58.6 {
		t.Errorf("got %+v", got)
	}
	s := &Soak{Result: Result{Load: LoadSoak}, Resident: got}
	if missed := s.judge(); !slices.Equal(missed, []string{"resident memory grew by 11.4 %, wanted at most 10 %"}) {
		t.Errorf("missed %q", missed)
	}
	for _, line := range []string{
		"Gateway's memory, median minutes 2 to 4 last 3 minutes growth",
		"resident, MiB 52.5 58.5 +11.4 %",
	} {
		if !hasLine(s.table(), line) {
			t.Errorf("no line %q in\n%s", line, s.table())
		}
	}
	s.Resident.Late = 55
	if missed := s.judge(); missed != nil {
		t.Errorf("missed %q", missed)
	}
	if missed := (&Soak{}).judge(); len(missed) != 1 {
		t.Errorf("missed %q", missed)
	}
	if r := (Report{Soak: &Soak{Result: Result{Missed: []string{"x"}}}}); !r.Missed() {
		t.Error("a soak that missed its target is not seen")
	}
}

func TestSeriesKeepsOnlyNewSamples(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	s := series{}.add(sample{at(0), 1, 1 << 20}).add(sample{at(0), 9, 9}).add(sample{at(10), 6, 3 << 20}).add(sample{at(20), 16, 2 << 20})
	if len(s) != 3 || s.cores() != 0.75 || s.between(at(5), at(20)).cores() != 1 || s.between(at(5), at(15)).cores() != 0 {
		t.Errorf("got %+v", s)
	}
	if got := s.memory(); got != (Memory{1, 3, 2}) {
		t.Errorf("got %+v", got)
	}
	if (series{}).memory() != (Memory{}) || median(nil) != 0 || median([]float64{3, 1, 2}) != 2 || median([]float64{4, 1}) != 2.5 {
		t.Error("nothing has figures, or the middle is not in the middle")
	}
	if quantile(nil, 0.5) != 0 || quantile([]time.Duration{1, 2, 3, 4}, 0.5) != 3 || quantile([]time.Duration{1, 2}, 0.99) != 2 {
		t.Error("a quantile is wrong")
	}
}
