package report

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/reporters"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/hybrid-e2e/hybrid/hybrid/shard"
)

// ran is the report of a spec.
func ran(text string, state types.SpecState, seconds float64) types.SpecReport {
	return types.SpecReport{
		LeafNodeType: types.NodeTypeIt, LeafNodeText: text, State: state, RunTime: time.Duration(seconds * float64(time.Second)),
		ContainerHierarchyTexts:     []string{"Shop"},
		ContainerHierarchyLocations: []types.CodeLocation{{FileName: "shop_test.go", LineNumber: 7}},
	}
}

func TestMeasured(t *testing.T) {
	artifacts := t.TempDir()
	for i, run := range []struct {
		suffix string
		suite  string
		specs  []types.SpecReport
	}{
		{"-shop", "shop", []types.SpecReport{ran("a", types.SpecStatePassed, 1), ran("b", types.SpecStatePassed, 9)}},
		{"-shop", "shop", []types.SpecReport{ran("a", types.SpecStatePassed, 3), ran("b", types.SpecStateFailed, 90)}},
		{"-shop-1of2", "shop", []types.SpecReport{ran("a", types.SpecStatePassed, 2), ran("b", types.SpecStateSkipped, 0)}},
		{"-shop-too", "shop-too", []types.SpecReport{ran("a", types.SpecStatePassed, 70), ran("c", types.SpecStatePassed, 1)}},
	} {
		name := fmt.Sprintf("20261121-12000%d%s", i, run.suffix)
		dir := filepath.Join(artifacts, name)
		if err := (Timeline{Run: name, Suite: run.suite}).Save(dir); err != nil {
			t.Fatal(err)
		}
		all := types.Report{SuiteDescription: "S", SuiteConfig: types.SuiteConfig{ParallelTotal: 4}, SpecReports: run.specs}
		if err := reporters.GenerateJSONReport(all, filepath.Join(dir, SpecsName)); err != nil {
			t.Fatal(err)
		}
	}
	got := Measured(artifacts, "shop")
	if got.Procs != 4 || len(got.Seconds) != 2 || got.Seconds["S Shop a"] != 2 || got.Seconds["S Shop b"] != 9 {
		t.Errorf("measured %+v", got)
	}
	if got := Measured(filepath.Join(artifacts, "none"), "shop"); got.Procs != 0 || len(got.Seconds) != 0 {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestSelected(t *testing.T) {
	file := filepath.Join(t.TempDir(), "selected.json")
	ordered, serial := ran("b", types.SpecStatePassed, 0), ran("c", types.SpecStatePassed, 0)
	ordered.IsInOrderedContainer, serial.IsSerial = true, true
	all := types.Report{SuiteDescription: "S", SpecReports: []types.SpecReport{
		{LeafNodeType: types.NodeTypeBeforeSuite, State: types.SpecStatePassed},
		ran("a", types.SpecStatePassed, 0), ordered, serial, ran("d", types.SpecStateSkipped, 0), ran("e", types.SpecStatePending, 0),
	}}
	if err := reporters.GenerateJSONReport(all, file); err != nil {
		t.Fatal(err)
	}
	specs, err := Selected(file)
	want := []shard.Spec{
		{Text: "S Shop a"},
		{Text: "S Shop b", Group: "Shop at shop_test.go:7"},
		{Text: "S Shop c", Group: "Shop at shop_test.go:7", Serial: true},
	}
	if err != nil || fmt.Sprint(specs) != fmt.Sprint(want) {
		t.Errorf("%+v, %v", specs, err)
	}
}

func TestAShardLeavesOthersSpecsOut(t *testing.T) {
	suites := []types.Report{{SuiteDescription: "S", SpecReports: []types.SpecReport{
		ran("a", types.SpecStatePassed, 1), ran("b", types.SpecStateSkipped, 0), ran("c", types.SpecStateSkipped, 0),
	}}}
	got := Summarise(Own(suites, []string{"S Shop a", "S Shop c"}))
	if got.Passed != 1 || got.Skipped != 1 || len(got.Specs) != 2 || got.Specs[1].Name != "Shop c" || len(suites[0].SpecReports) != 3 {
		t.Errorf("%+v of %+v", got, suites)
	}
}
