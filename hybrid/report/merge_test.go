package report

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// twoShards are the reports of a suite in two shards: a failed in the first, b passed in
// the second, c is pending, and d was in neither.
func twoShards() [][]types.Report {
	before := types.SpecReport{LeafNodeType: types.NodeTypeBeforeSuite, State: types.SpecStatePassed}
	suite := func(focus string, a, b types.SpecReport) []types.Report {
		return []types.Report{{
			SuiteDescription: "S", SuiteSucceeded: !a.State.Is(types.SpecStateFailed), SuiteConfig: types.SuiteConfig{FocusStrings: []string{focus}, ParallelTotal: 4},
			SpecReports: []types.SpecReport{before, a, b, ran("c", types.SpecStatePending, 0), ran("d", types.SpecStateSkipped, 0)},
		}}
	}
	return [][]types.Report{
		suite("a", ran("a", types.SpecStateFailed, 2), ran("b", types.SpecStateSkipped, 0)),
		suite("b", ran("a", types.SpecStateSkipped, 0), ran("b", types.SpecStatePassed, 3)),
	}
}

func TestRanIsWhatHappened(t *testing.T) {
	shards := twoShards()
	if got, want := Ran(shards[0]), []string{"S Shop a"}; !slices.Equal(got, want) {
		t.Errorf("%q ran, want %q", got, want)
	}
	told, attempted := ran("told", types.SpecStateSkipped, 0), ran("attempted", types.SpecStateSkipped, 1)
	told.Failure.Message, attempted.NumAttempts = "an earlier spec in an ordered container failed", 1
	if got, want := Ran([]types.Report{{SpecReports: []types.SpecReport{told, attempted}}}), []string{" Shop told", " Shop attempted"}; !slices.Equal(got, want) {
		t.Errorf("%q ran, want %q", got, want)
	}
}

func TestMerge(t *testing.T) {
	merged := Merge(twoShards())
	if len(merged) != 1 || merged[0].SuiteSucceeded || merged[0].SuiteConfig.FocusStrings != nil || merged[0].PreRunStats != (types.PreRunStats{TotalSpecs: 4, SpecsThatWillRun: 2}) {
		t.Errorf("merged %+v", merged)
	}
	var got []string
	for _, spec := range merged[0].SpecReports {
		got = append(got, fmt.Sprintf("%s%s %s", spec.LeafNodeType, spec.FullText(), spec.State))
	}
	want := []string{"BeforeSuite passed", "ItShop a failed", "ItShop c pending", "ItShop d skipped", "BeforeSuite passed", "ItShop b passed"}
	if !slices.Equal(got, want) {
		t.Errorf("specs %q, want %q", got, want)
	}
	if s := Summarise(merged); s.Passed != 1 || s.Failed != 1 || s.Skipped != 2 {
		t.Errorf("summary %+v", s)
	}
}

func TestWriteSuites(t *testing.T) {
	dir := t.TempDir()
	if err := WriteSuites(dir, Merge(twoShards())); err != nil {
		t.Fatal(err)
	}
	if s, err := Specs(filepath.Join(dir, SpecsName)); err != nil || s.Passed != 1 || s.Failed != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	xml, err := os.ReadFile(filepath.Join(dir, JUnitName))
	if want := `<testsuite name="S" package="" tests="6" disabled="1" skipped="1" errors="0" failures="1"`; err != nil || !strings.Contains(string(xml), want) {
		t.Errorf("no %s in\n%s\n%v", want, xml, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("files %v, %v", entries, err)
	}
}

// aRun takes a second of set-up and two of tests.
func aRun(started time.Time) Timeline {
	return Timeline{
		Started: started, SetupSeconds: 1, TestSeconds: 2, TotalSeconds: 3, ImageSource: "local",
		Phases: []Phase{
			{Name: PhaseDeploy, End: 1, Tasks: []Task{{Name: "deploy.a", End: 1, Outcome: task.Done}}},
			{Name: PhaseTest, Start: 1, End: 3, Tasks: []Task{{Name: "specs", Start: 1, End: 3, Outcome: task.Done}}},
		},
	}
}

func TestJoinPutsShardsSideBySide(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	own := Timeline{Run: "r", Started: noon, TotalSeconds: 9, Phases: []Phase{{Name: PhaseBuild, End: 5, Tasks: []Task{{Name: "image.a", End: 5}}}}}
	shards := []Shard{{"1/2", aRun(noon.Add(5 * time.Second))}, {"2/2", aRun(noon.Add(6 * time.Second))}}
	got := own.Join(shards...)
	want := "[{build 0 5 [{image.a 0 5  }]}" +
		" {deploy 5 7 [{1/2 deploy.a 5 6 done } {2/2 deploy.a 6 7 done }]}" +
		" {test 6 9 [{1/2 specs 6 8 done } {2/2 specs 7 9 done }]}]"
	if fmt.Sprint(got.Phases) != want || got.SetupSeconds != 7 || got.TestSeconds != 3 || got.TotalSeconds != 9 || got.ImageSource != "local" {
		t.Errorf("joined %+v\nwant %s", got, want)
	}
	if len(own.Phases) != 1 || len(own.Phases[0].Tasks) != 1 || fmt.Sprint(own.Join()) != fmt.Sprint(own) {
		t.Errorf("its own timeline was changed: %+v", own)
	}
	if err := got.CheckOrder(); err != nil {
		t.Errorf("shards side by side: %v", err)
	}
	early := own.Join(shards[0], Shard{"2/2", aRun(noon.Add(4 * time.Second))})
	if err := early.CheckOrder(); err == nil || !strings.Contains(err.Error(), "order: 2/2 deploy.a of phase deploy started at 4.000 s, before image.a of phase build ended at 5.000 s") {
		t.Errorf("a shard before the images: %v", err)
	}
	own.Started = noon.Add(time.Hour)
	got = own.Join(shards...)
	if got.Started != noon.Add(5*time.Second) || got.TotalSeconds != 4 || got.SetupSeconds != 2 || got.TestSeconds != 3 || len(got.Phases) != 2 {
		t.Errorf("joined afterwards %+v", got)
	}
}
