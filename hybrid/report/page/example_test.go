package page

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// example is of a run that has everything a page can show: specs that failed, a task that
// did and one that was canceled for it, cached images, sources, earlier runs.
func example() Report {
	return Report{
		Timeline: exampleTimeline(),
		Specs: &report.Summary{Passed: 3, Failed: 1, Skipped: 1, Specs: []report.Spec{
			{Name: "Orders survive a restart of the database", State: "passed", Duration: 12300 * time.Millisecond},
			{
				Name: "Orders are refused when the signature is stale", State: "failed", Failed: true, Duration: 4100 * time.Millisecond,
				Message:  "Expected\n    <int>: 202\nto equal\n    <int>: 401",
				Location: "/home/someone/a/rather/long/path/to/the/checkout/of/shop/test/e2e/shop/signature_test.go:42",
			},
			{Name: "Orders are answered within 200 ms", State: "passed", Duration: 61 * time.Second},
			{Name: "Carts are merged at login", State: "passed", Duration: 800 * time.Millisecond},
			{Name: "Carts expire", State: "skipped"},
		}},
		Coverage: coverage.Result{
			Total: coverage.Count{Statements: 9, Covered: 6, Percent: 66.7},
			Packages: []coverage.Package{
				{Path: "cmd/shop", Count: coverage.Count{Statements: 4, Covered: 4, Percent: 100}},
				{Path: "pkg/shop/orders", Count: coverage.Count{Statements: 5, Covered: 2, Percent: 40}},
			},
			Floors: []coverage.Floor{
				{Path: "cmd/shop", Floor: 65, Count: coverage.Count{Percent: 100}, Met: true},
				{Path: "pkg/shop", Floor: 70, Count: coverage.Count{Percent: 40}},
			},
		},
		Sources: []coverage.File{
			{Path: "cmd/shop/main.go", Count: coverage.Count{Percent: 100}, Lines: []coverage.Line{
				{Text: "package main"}, {}, {Text: "func main() {"}, {Text: "\tserve()", State: coverage.Ran}, {Text: "}"},
			}},
			{Path: "pkg/shop/orders/refuse.go", Count: coverage.Count{Percent: 40}, Lines: []coverage.Line{
				{Text: "package orders"},
				{},
				{Text: "// Refuse says why an order is not taken; this comment is longer than any telephone is wide, even one that is held across."},
				{Text: "func Refuse(o Order) error {"},
				{Text: "\tif o.Signed.Before(oldest) {", State: coverage.Ran},
				{Text: "\t\treturn errStale", State: coverage.Missed},
				{Text: "\t}"},
				{Text: "\treturn nil", State: coverage.Ran},
				{Text: "}"},
			}},
		},
		Images: []Image{
			{Name: "shop", Key: "fdb1d853c7ac241f", Size: 131e6, Updated: "2026-11-26", Age: 12 * time.Hour, Origin: "built in 38.2 s: no image had this key"},
			{Name: "postgresql", Key: "4b3ca84dd725bee4", Size: 412e6, Updated: "2026-11-26", Age: 12 * time.Hour, Origin: "cached: an image had this key"},
		},
		Facts:   []Fact{{"commit", "1f0c6a2b9d3e-dirty"}, {"engine", "docker 20.10.24"}, {"system", "linux/amd64, kernel 6.1.0-37-cloud-amd64"}, {"processors", "2"}},
		Earlier: []report.Timeline{earlier("20261124-120000-shop", 95, 70), earlier("20261125-120000-shop", 83, 74)},
	}
}

func earlier(run string, setup, test float64) report.Timeline {
	return report.Timeline{Run: run, Suite: "shop", Result: report.Passed, SetupSeconds: setup, TestSeconds: test, TotalSeconds: setup + test + 12}
}

func exampleTimeline() report.Timeline {
	return report.Timeline{
		Run: "20261126-120000-shop", Suite: "shop", Result: report.Failed, Started: noon, ImageSource: "local",
		SetupSeconds: 72.5, TestSeconds: 66, TotalSeconds: 146.2,
		Error:    "1 of 5 specs failed\nOrders are refused when the signature is stale",
		StandIns: []string{"registry.access.redhat.com/ubi9/ubi-minimal"},
		Phases: []report.Phase{
			{Name: report.PhasePreflight, Start: 0, End: 0.6, Tasks: []report.Task{
				{Name: "suite", Start: 0, End: 0.2, Outcome: task.Done},
				{Name: "engine", Start: 0, End: 0.6, Outcome: task.Done, Detail: "docker 20.10.24"},
			}},
			{Name: report.PhaseBuild, Start: 0.6, End: 38.8, Tasks: []report.Task{
				{Name: "image.postgresql", Start: 0.6, End: 0.6, Outcome: task.Cached},
				{Name: "image.shop", Start: 0.6, End: 38.8, Outcome: task.Done},
				{Name: "specs.shop", Start: 0.6, End: 11.4, Outcome: task.Done},
			}},
			{Name: report.PhaseCluster, Start: 38.8, End: 57.2, Tasks: []report.Task{{Name: "cluster.create", Start: 38.8, End: 57.2, Outcome: task.Done}}},
			{Name: report.PhaseLoad, Start: 57.2, End: 62.1, Tasks: []report.Task{{Name: "load.images", Start: 57.2, End: 62.1, Outcome: task.Done}}},
			{Name: report.PhaseDeploy, Start: 62.1, End: 72.5, Tasks: []report.Task{
				{Name: "deploy.postgresql", Start: 62.1, End: 67.3, Outcome: task.Done},
				{Name: "deploy.shop", Start: 62.1, End: 72.5, Outcome: task.Done},
			}},
			{Name: report.PhaseTest, Start: 72.5, End: 138.5, Tasks: []report.Task{{Name: "specs.shop", Start: 72.5, End: 138.5, Outcome: task.Failed, Detail: "3 passed, 1 failed"}}},
			{Name: report.PhaseCoverage, Start: 138.5, End: 142, Tasks: []report.Task{
				{Name: "coverage.flush", Start: 138.5, End: 142, Outcome: task.Done},
				{Name: "coverage.collect", Start: 138.5, End: 141, Outcome: task.Canceled},
			}},
			{Name: report.PhaseTeardown, Start: 142, End: 146.2, Tasks: []report.Task{{Name: "cluster.delete", Start: 142, End: 146.2, Outcome: task.Done}}},
		},
	}
}

// exampleFiles are what the page of the example links to, with what they hold.
func exampleFiles() map[string]string {
	return map[string]string{
		"logs/image.shop.log": "building shop\n", "logs/image.postgresql.log": "it was there\n", "logs/specs.shop.log": "1 failed\n",
		"logs/cluster.create.log": "creating\n", "diagnose/SUMMARY.md": "# What was seen\n",
	}
}

// writeExample makes the folder of the example's run.
func writeExample(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range exampleFiles() {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := example().Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
