package hybrid

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/reporters"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/shard"
)

// shardFolders writes what two shards of a run leave: a ran in the first, b in the second.
func shardFolders(t *testing.T, artifacts string, states ...types.SpecState) []string {
	t.Helper()
	var folders []string
	for i, state := range states {
		part := shard.Part{Number: i + 1, Of: 2}
		run := "20261123-110000-shop-" + part.Name()
		dir := filepath.Join(artifacts, run)
		spec := types.SpecReport{LeafNodeType: types.NodeTypeIt, LeafNodeText: string(rune('a' + i)), State: state, RunTime: time.Second}
		result := report.Passed
		if state.Is(types.SpecStateFailureStates) {
			result = report.Failed
		}
		timeline := report.Timeline{Run: run, Suite: "shop", Result: result, Started: noon.Add(-time.Hour), TotalSeconds: 30, TestSeconds: 20, Error: "why"}
		record := shard.Record{Run: run, Suite: "shop", Part: part, Commit: "c", Images: map[string]string{"a": "hybrid.local/a:1"}, All: []string{"Shop a", "Shop b"}, Specs: []string{"Shop " + spec.LeafNodeText}}
		err := errors.Join(timeline.Save(dir), record.Save(dir), os.MkdirAll(filepath.Join(dir, "coverage", "a"), 0o755),
			reporters.GenerateJSONReport(types.Report{SuiteDescription: "Shop", SuiteSucceeded: result == report.Passed, SpecReports: []types.SpecReport{spec}}, filepath.Join(dir, report.SpecsName)))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "coverage", "a", "covmeta.a"), "meta")
		write(t, filepath.Join(dir, "coverage", "a", "covcounters.a.1."+fmt.Sprint(i)), "counters")
		folders = append(folders, dir)
	}
	return folders
}

// covers is a Runner whose tools write a profile in which 3 of 4 statements ran.
type covers struct{ command.Runner }

func (covers) Run(_ context.Context, c command.Command) ([]byte, error) {
	if c.Args[0] == "go" && c.Args[3] == "textfmt" {
		profile := "mode: set\nexample.test/shop/pkg/a.go:1.1,2.1 3 1\nexample.test/shop/pkg/a.go:3.1,4.1 1 0\n"
		return nil, os.WriteFile(strings.TrimPrefix(c.Args[5], "-o="), []byte(profile), 0o600)
	}
	return nil, nil
}

// mergeShards merges what two shards left, with a floor for their coverage.
func mergeShards(t *testing.T, floor float64, change func(folders []string) []string, states ...types.SpecState) (out, dir string, err error) {
	t.Helper()
	root, suite := repository(t)
	suite.Images[0].Coverage, suite.Floors = true, map[string]float64{"pkg": floor}
	folders := shardFolders(t, filepath.Join(root, "down loaded"), states...)
	if change != nil {
		folders = change(folders)
	}
	var b bytes.Buffer
	o := options(root, &b, nil)
	o.Runner = covers{}
	err = MergeReports(t.Context(), []Suite{{Name: "other"}, suite}, o, folders)
	return b.String(), filepath.Join(root, "_artifacts", "latest"), err
}

func TestReportsOfShardsBecomeOne(t *testing.T) {
	whole := func(folders []string) []string { return []string{filepath.Dir(folders[0])} }
	out, dir, err := mergeShards(t, 75, whole, types.SpecStatePassed, types.SpecStatePassed)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"2 specs in 2 shards, each ran once", "2 passed, 0 failed, 0 skipped", "75.0 % of statements", "at least 75.0%: ok"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	timeline, err := report.Load(filepath.Join(dir, report.FileName))
	if err != nil || timeline.Run != "20261123-120000-shop-merged" || timeline.Result != report.Passed || timeline.TotalSeconds != 30 || !timeline.Started.Equal(noon.Add(-time.Hour)) {
		t.Errorf("timeline %+v, %v", timeline, err)
	}
	for _, name := range []string{report.SpecsName, report.JUnitName, "report.html", "durations.json", "coverage/" + coverage.ProfileName} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	times, err := shard.ReadTimes(filepath.Join(dir, shard.TimesName))
	if err != nil || times.Seconds["Shop a"] != 1 || times.Seconds["Shop b"] != 1 {
		t.Errorf("times %+v, %v", times, err)
	}
}

func TestFloorsAreJudgedOnWhatAllShardsCovered(t *testing.T) {
	out, _, err := mergeShards(t, 76, nil, types.SpecStatePassed, types.SpecStatePassed)
	if err == nil || !strings.Contains(err.Error(), "coverage is below its floor:\npkg: 75.0% of 4 statements, floor 76.0%") {
		t.Errorf("error %v\n%s", err, out)
	}
}

func TestAFailureInAShardIsOneOfTheMergedReport(t *testing.T) {
	out, dir, err := mergeShards(t, 76, nil, types.SpecStatePassed, types.SpecStateFailed)
	if !errors.Is(err, ErrSpecs) || ExitCode(err) != 1 || !strings.Contains(err.Error(), "shard 2/2: specs failed: why") || strings.Contains(err.Error(), "floor") {
		t.Errorf("error %v\n%s", err, out)
	}
	timeline, err := report.Load(filepath.Join(dir, report.FileName))
	if err != nil || timeline.Result != report.Failed || !strings.Contains(out, "1 passed, 1 failed, 0 skipped") {
		t.Errorf("timeline %+v, %v\n%s", timeline, err, out)
	}
}

func TestReportsThatDoNotBelongTogetherAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(folders []string) []string
		message string
	}{
		"one is missing": {func(f []string) []string { return f[:1] }, "shard 2/2 is missing"},
		"a spec is missing": {func(f []string) []string {
			write(t, filepath.Join(f[1], report.SpecsName), `[{"SuiteDescription": "Shop"}]`)
			return f
		}, "did not run, though shard 2/2 has it: Shop b"},
		"no results": {func(f []string) []string {
			write(t, filepath.Join(f[1], report.SpecsName), "{")
			return f
		}, "shard 2/2 has no results: "},
		"no shard":  {func([]string) []string { return []string{"docker"} }, "no report of a shard (shard.json) is in [docker]"},
		"no folder": {func([]string) []string { return []string{"gone"} }, "look for the reports of shards: "},
	} {
		out, _, err := mergeShards(t, 0, c.change, types.SpecStatePassed, types.SpecStatePassed)
		if err == nil || !strings.Contains(err.Error(), c.message) || !strings.Contains(out, "FAILED") {
			t.Errorf("%s: error %v, want %q, output\n%s", name, err, c.message, out)
		}
	}
}
