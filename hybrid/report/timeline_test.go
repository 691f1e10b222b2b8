package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

func t0() time.Time { return time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC) }

func sample() Timeline {
	return Timeline{
		Run: "20261123-190000", Suite: "gateway", Result: Passed, Started: t0(),
		SetupSeconds: 61.25, TestSeconds: 20.5, TotalSeconds: 90.004, ImageSource: "registry",
		Phases: []Phase{
			{Name: "build", Start: 0, End: 30.5, Tasks: []Task{
				{Name: "image.gateway", Start: 0, End: 30.5, Outcome: task.Done},
				{Name: "image.redis", Start: 0.01, End: 0.3, Outcome: task.Cached, Detail: "key 1234abcd"},
			}},
			{Name: "cluster", Start: 30.5, End: 50, Tasks: []Task{{Name: "kind", Start: 30.5, End: 50, Outcome: task.Done}}},
			{Name: "test", Start: 61.25, End: 81.75, Tasks: []Task{}},
		},
	}
}

const sampleJSON = `{
  "run": "20261123-190000",
  "suite": "gateway",
  "result": "passed",
  "started": "2026-11-23T19:00:00Z",
  "setup_seconds": 61.25,
  "test_seconds": 20.5,
  "total_seconds": 90.004,
  "image_source": "registry",
  "phases": [
    {
      "name": "build",
      "start": 0,
      "end": 30.5,
      "tasks": [
        {
          "name": "image.gateway",
          "start": 0,
          "end": 30.5,
          "outcome": "done",
          "detail": ""
        },
        {
          "name": "image.redis",
          "start": 0.01,
          "end": 0.3,
          "outcome": "cached",
          "detail": "key 1234abcd"
        }
      ]
    },
    {
      "name": "cluster",
      "start": 30.5,
      "end": 50,
      "tasks": [
        {
          "name": "kind",
          "start": 30.5,
          "end": 50,
          "outcome": "done",
          "detail": ""
        }
      ]
    },
    {
      "name": "test",
      "start": 61.25,
      "end": 81.75,
      "tasks": []
    }
  ]
}
`

func TestSaveWritesTheAgreedJSONAndLoadReadsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	for range 2 {
		if err := sample().Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != sampleJSON {
		t.Errorf("timeline.json is\n%s\nwant\n%s", b, sampleJSON)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("the folder holds %v, want the timeline alone", left)
	}
	got, err := Load(path)
	if err != nil || !reflect.DeepEqual(got, sample()) {
		t.Errorf("loaded %+v, error %v", got, err)
	}
}

func TestSaveAndLoadSayWhatFailed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := sample().Save(file); err == nil || !strings.HasPrefix(err.Error(), "create the folder of the timeline: ") {
		t.Errorf("error %v", err)
	}
	if _, err := Load(file); err == nil || err.Error() != "read the timeline in "+file+": unexpected end of JSON input" {
		t.Errorf("error %v", err)
	}
	if _, err := Load(filepath.Join(dir, "absent")); err == nil || !strings.HasPrefix(err.Error(), "read the timeline: ") {
		t.Errorf("error %v", err)
	}
	// A folder stands where the file should go: nothing half-made may stay.
	run := filepath.Join(dir, "run")
	if err := os.MkdirAll(filepath.Join(run, FileName), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := sample().Save(run); err == nil || !strings.HasPrefix(err.Error(), "write the timeline: ") {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(run); len(left) != 1 {
		t.Errorf("the folder holds %v", left)
	}
}

func TestTable(t *testing.T) {
	want := strings.Join([]string{
		"phase / task     start   time  outcome  detail",
		"build             0.0s  30.5s",
		"  image.gateway   0.0s  30.5s  done",
		"  image.redis     0.0s   0.3s  cached   key 1234abcd",
		"cluster          30.5s  19.5s",
		"  kind           30.5s  19.5s  done",
		"test             61.2s  20.5s",
		"total                   90.0s  passed   setup 61.2s, test 20.5s, images from registry",
		"",
	}, "\n")
	if got := sample().Table(); got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
}

func TestTableOfARunThatGoesOn(t *testing.T) {
	line := Timeline{TotalSeconds: 1, Phases: []Phase{{Name: "build", End: 1, Tasks: []Task{{Name: "x", End: 1}}}}}
	want := "phase / task  start  time  outcome  detail\n" +
		"build          0.0s  1.0s\n" +
		"  x            0.0s  1.0s  running\n" +
		"total                1.0s  running\n"
	if got := line.Table(); got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
}

func TestCheckOrder(t *testing.T) {
	phase := func(name string, tasks ...Task) Phase { return Phase{Name: name, Tasks: tasks} }
	span := func(name string, start, end float64) Task { return Task{Name: name, Start: start, End: end} }
	type orderCase struct {
		phases  []Phase
		rebuilt float64
		want    string
	}
	tests := map[string]orderCase{
		"nothing": {},
		"in order, touching": {phases: []Phase{
			phase("preflight", span("doctor", 0, 99)),
			phase("images", span("base.ubi", 0, 2)),
			phase("build", span("image.a", 1, 5), span("image.b", 1, 9)),
			phase("cluster", span("kind", 9, 20), span("crds", 20, 21)),
			phase("load", span("load.a", 21, 22)),
			phase("deploy", span("deploy.a", 22, 23)),
			phase("test", span("specs", 23, 30)),
			phase("teardown", span("delete", 0, 1)),
		}},
		"cluster beside a build": {phases: []Phase{
			phase("build", span("image.a", 1, 5), span("image.b", 1, 9.5)),
			phase("cluster", span("crds", 20, 21), span("kind", 4.25, 20)),
		}, want: "order: kind of phase cluster started at 4.250 s, before image.b of phase build ended at 9.500 s"},
		"cluster beside a base": {phases: []Phase{
			phase("images", span("base.ubi", 0, 2)), phase("cluster", span("kind", 1, 3)),
		}, want: "order: kind of phase cluster started at 1.000 s, before base.ubi of phase images ended at 2.000 s"},
		"everything too early": {phases: []Phase{
			phase("cluster", span("kind", 0, 4)), phase("load", span("load.a", 3, 6)),
			phase("deploy", span("deploy.a", 5, 8)), phase("test", span("specs", 7, 9)),
		}, want: "order: load.a of phase load started at 3.000 s, before kind of phase cluster ended at 4.000 s\n" +
			"order: deploy.a of phase deploy started at 5.000 s, before load.a of phase load ended at 6.000 s\n" +
			"order: specs of phase test started at 7.000 s, before deploy.a of phase deploy ended at 8.000 s"},
		"a missing stage hides nothing": {phases: []Phase{
			phase("cluster", span("kind", 0, 4)), phase("load"), phase("test", span("specs", 3, 9)),
		}, want: "order: specs of phase test started at 3.000 s, before kind of phase cluster ended at 4.000 s"},
	}
	anew := func(created, loaded float64) []Phase {
		return []Phase{
			phase("build", span("image.a", 1, 5)), phase("cluster", span("kind", 5, 9), span("delete", 10, 11), span("kind", 11, created)),
			phase("load", span("load.a", 9, 10), span("load.a", loaded, 22)),
		}
	}
	tests["the cluster made anew"] = orderCase{phases: anew(20, 20), rebuilt: 10}
	tests["a load before the new cluster"] = orderCase{
		phases: anew(20, 19), rebuilt: 10,
		want: "order: load.a of phase load started at 19.000 s, before kind of phase cluster ended at 20.000 s",
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := (Timeline{Phases: c.phases, Rebuilt: c.rebuilt}).CheckOrder(); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("error %q\nwant  %q", got, c.want)
			}
		})
	}
}

// FuzzTimeline loads files that somebody else may have written. What can be read can be
// judged, shown, and written down as it was.
func FuzzTimeline(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"run":"r","phases":[{"name":"build","start":1,"end":2,"tasks":[{"name":"image.a","start":1,"end":2,"outcome":"ok"}]}]}`,
		`{"phases":[{"name":"load","start":-1e308,"tasks":null},{"name":"cluster","end":1e308}]}`, `[]`, `{"started":"yesterday"}`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		file := filepath.Join(t.TempDir(), FileName)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		first, err := Load(file)
		if err != nil {
			return
		}
		_, _ = first.CheckOrder(), first.Table() // They must not panic.
		if err := first.Save(filepath.Dir(file)); err != nil {
			t.Fatal(err)
		}
		second, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		a, errA := json.Marshal(first)
		b, errB := json.Marshal(second)
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("written %s, read %s, %v, %v", a, b, errA, errB)
		}
	})
}
