package hybrid

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// repository writes the smallest repository that a suite can be declared for.
func repository(t *testing.T) (root string, suite Suite) {
	t.Helper()
	root = t.TempDir()
	for name, content := range map[string]string{
		"go.mod":                "module example.test/shop\n",
		"docker/a.Dockerfile":   "FROM scratch\nCOPY go.mod /\n",
		"manifests/ns.yaml":     "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n",
		"test/e2e/shop/shop.go": "package shop\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root, Suite{
		Name: "shop", Namespace: "shop", Images: []Image{{Name: "a", Dockerfile: "docker/a.Dockerfile"}},
		Setup: []string{"manifests"}, Specs: "./test/e2e/shop",
	}
}

// options has no engine unless the recorder answers for one.
func options(root string, out *bytes.Buffer, r *command.Recorder) Options {
	return Options{Root: root, Out: out, Runner: r, ImageSource: "local", Now: func() time.Time { return noon }}
}

// anEngine answers every command like an engine that is there.
func anEngine() *command.Recorder {
	return &command.Recorder{Replies: map[string]command.Reply{"": {Stdout: "20.10.24\n"}}}
}

func TestAFailedPreflightIsToldAndRecorded(t *testing.T) {
	root, suite := repository(t)
	var out bytes.Buffer
	_, err := Open(t.Context(), suite, options(root, &out, &command.Recorder{}))
	if !errors.Is(err, engine.ErrNone) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"FAILED  preflight: engine", "no container engine is reachable", "next    go run magefile.go setup"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	timeline, err := report.Load(filepath.Join(root, "_artifacts", "latest", report.FileName))
	if err != nil {
		t.Fatal(err)
	}
	if timeline.Result != report.Errored || timeline.Run != "20261123-120000-shop" {
		t.Errorf("timeline %+v", timeline)
	}
}

func TestARunKnowsHowLongTasksTookBefore(t *testing.T) {
	root, suite := repository(t)
	for name, seconds := range map[string]float64{"20261120-120000-shop": 3, "20261121-120000-shop": 9, "20261122-120000-shop": 4} {
		earlier := report.Timeline{Suite: "shop", Phases: []report.Phase{{Name: report.PhaseBuild, Tasks: []report.Task{{Name: "image.a", End: seconds, Outcome: task.Done}}}}}
		if err := earlier.Save(filepath.Join(root, "_artifacts", name)); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Open(t.Context(), suite, options(root, &bytes.Buffer{}, anEngine()))
	if err != nil {
		t.Fatal(err)
	}
	if got, known := p.usual(report.PhaseBuild, "image.a"); got != 4*time.Second || !known {
		t.Errorf("an image takes %v, %v, want 4s", got, known)
	}
	if err := p.Close(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestMistakesOfTheSuiteAreFoundInPreflight(t *testing.T) {
	for want, breakIt := range map[string]func(root string, s *Suite){
		"manifests/gone does not exist": func(_ string, s *Suite) { s.Setup = []string{"manifests/gone"} },
		`copies "gone", which is not in the build context`: func(root string, _ *Suite) {
			write(t, filepath.Join(root, "docker/a.Dockerfile"), "FROM scratch\nCOPY gone /\n")
		},
		"manifests/ns.yaml": func(root string, _ *Suite) {
			write(t, filepath.Join(root, "manifests/ns.yaml"), "kind: [\n")
		},
	} {
		root, suite := repository(t)
		breakIt(root, &suite)
		var out bytes.Buffer
		_, err := Open(t.Context(), suite, options(root, &out, anEngine()))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestASecondRunInTheCheckoutIsRefused(t *testing.T) {
	root, suite := repository(t)
	r := anEngine()
	var first, second bytes.Buffer
	p, err := Open(t.Context(), suite, options(root, &first, r))
	if err != nil {
		t.Fatalf("%v\n%s", err, first.String())
	}
	_, err = Open(t.Context(), suite, options(root, &second, r))
	if err == nil || !strings.Contains(err.Error(), "another run is at work in this checkout") {
		t.Errorf("error %v", err)
	}
	if err := p.Close(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	p, err = Open(t.Context(), suite, options(root, &second, r))
	if err != nil {
		t.Fatalf("after the first ended: %v", err)
	}
	if err := p.Close(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestPhasesRefuseToComeTooEarly is the runtime guard of the order rule.
func TestPhasesRefuseToComeTooEarly(t *testing.T) {
	p := &Pipeline{}
	for want, phase := range map[string]func(context.Context) error{
		"the images are not built": p.Cluster, "there is no cluster yet": p.Load,
		"there is no cluster with the images": p.Deploy, "nothing is deployed yet": p.Test,
	} {
		if err := phase(t.Context()); err == nil || !strings.Contains(err.Error(), "refused, since "+want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestPhaseTable(t *testing.T) {
	got := phaseTable(report.Timeline{
		Result: report.Passed, TotalSeconds: 75.25, SetupSeconds: 30, TestSeconds: 40.5, ImageSource: "local", StandIns: []string{"x"},
		Phases: []report.Phase{{Name: "build", Start: 1, End: 3.5, Tasks: []report.Task{{Outcome: task.Cached}, {Outcome: task.Done}}}},
	})
	want := "  build          2.5 s  2 tasks, 1 cached\n" +
		"  passed        75.2 s  setup 30.0 s, tests 40.5 s, images: local\n" +
		"  stand-ins made locally: x\n"
	if got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
}

func TestFailuresNameSpecPlaceAndReason(t *testing.T) {
	got := failures(report.Summary{Passed: 1, Failed: 1, Reasons: []string{"interrupted"}, Specs: []report.Spec{
		{Name: "works", State: "passed"},
		{Name: "breaks", State: "failed", Failed: true, Message: "expected 1\nto equal 2", Location: "a_test.go:7"},
	}})
	if want := "1 of 2\nbreaks (failed)\n    a_test.go:7: expected 1 to equal 2\ninterrupted"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCoverageIsABuildArgumentOfServicesOnly(t *testing.T) {
	p := &Pipeline{suite: Suite{Images: []Image{{Name: "svc", Coverage: true}, {Name: "db", BuildArgs: map[string]string{"V": "1"}}}}}
	specs := p.imageSpecs()
	if specs[0].Args["COVERAGE"] != "1" || len(specs[1].Args) != 1 {
		t.Errorf("specs %+v", specs)
	}
	p.o.Plain = true
	if got := p.imageSpecs()[0].Args["COVERAGE"]; got != "0" {
		t.Errorf("COVERAGE=%s in plain mode", got)
	}
	if p.suite.Images[1].BuildArgs["COVERAGE"] != "" {
		t.Error("the declaration itself was changed")
	}
}

func TestTheNodeImageNeedsTheImagesAndNotTheSpecs(t *testing.T) {
	p := &Pipeline{images: &offline.Images{Node: "node:1"}, suite: Suite{Images: []Image{{Name: "svc", Coverage: true}, {Name: "db"}}}}
	plans := []image.Plan{{Spec: image.Spec{Name: "svc"}}, {Spec: image.Spec{Name: "db"}}}
	node := []task.Task{{Name: "node.image"}}
	tasks := p.preload(plans, node)
	if len(tasks) != 1 || tasks[0].Name != "node.preload" || !slices.Equal(tasks[0].Needs, []string{"image.svc", "image.db", "node.image"}) {
		t.Errorf("tasks %+v", tasks)
	}
	p.o.NoPreload = true
	if tasks := p.preload(plans, node); len(tasks) != 0 || p.node != "node:1" {
		t.Errorf("without preloading: tasks %+v, node image %s", tasks, p.node)
	}
}

func TestEnvironmentRoundTrip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "environment.json")
	want := Environment{Run: "r", Suite: "s", Endpoints: map[string]string{"a": "http://127.0.0.1:1"}, Images: map[string]string{"a": image.Registry + "/a:1"}}
	if err := want.save(file); err != nil {
		t.Fatal(err)
	}
	got, err := LoadEnvironment(file)
	if err != nil || got.Endpoints["a"] != want.Endpoints["a"] || got.Images["a"] != want.Images["a"] || got.Run != "r" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := LoadEnvironment(file + ".gone"); err == nil || !strings.Contains(err.Error(), "read the environment of the specs") {
		t.Errorf("error %v", err)
	}
}
