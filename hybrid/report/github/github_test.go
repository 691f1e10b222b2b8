package github

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
)

func TestHere(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "": false, "false": false} {
		if got := Here(func(string) string { return value }); got != want {
			t.Errorf("%q: %t", value, got)
		}
	}
}

func failed() Run {
	return Run{
		Root:     "/src/shop",
		Timeline: report.Timeline{Suite: "shop", Result: report.Failed, Error: "specs failed: 1 of 2", TotalSeconds: 3, Phases: []report.Phase{{Name: "test", Start: 1, End: 3, Tasks: make([]report.Task, 1)}}},
		Specs: &report.Summary{Passed: 1, Failed: 1, Specs: []report.Spec{
			{Name: "good", State: "passed"}, {Name: "pays, or 100% not", State: "failed", Failed: true, Message: "want 1\n```\ngot 2", Location: "/src/shop/test/e2e/pay_test.go:12"},
		}},
	}
}

func TestAnnotations(t *testing.T) {
	broken := failed()
	broken.Specs, broken.Timeline.Result, broken.Timeline.Error = nil, report.Errored, "no engine\nis there"
	passed := Run{Timeline: report.Timeline{Suite: "shop", Result: report.Passed}, Specs: &report.Summary{Passed: 1}}
	for want, r := range map[string]Run{
		"::error file=test/e2e/pay_test.go,line=12,title=pays%2C or 100%25 not::want 1%0A```%0Agot 2\n": failed(),
		"::error title=shop%3A error::no engine%0Ais there\n":                                           broken,
		"": passed,
	} {
		var out strings.Builder
		if r.Annotate(&out); out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	}
}

func TestSummary(t *testing.T) {
	file := filepath.Join(t.TempDir(), "summary.md")
	getenv := func(name string) string { return map[string]string{"GITHUB_STEP_SUMMARY": file}[name] }
	passed := Run{
		Timeline: report.Timeline{Suite: "a|b", Result: report.Passed, SetupSeconds: 20.25, TestSeconds: 60, TotalSeconds: 90, Rebuilt: 5, RebuiltBecause: "node died"},
		Specs:    &report.Summary{Passed: 2},
		Coverage: coverage.Result{
			Packages: []coverage.Package{{Path: "pkg/a_b", Count: coverage.Count{Statements: 3, Percent: 66.66}}}, Total: coverage.Count{Statements: 3, Percent: 66.66},
		},
	}
	for _, r := range []Run{failed(), passed} {
		if err := r.Summarise(getenv); err != nil {
			t.Fatal(err)
		}
	}
	want := "## ❌ shop: failed\n\n1 passed, 1 failed. Set-up 0.0 s, tests 0.0 s, in all 3.0 s.\n\n" +
		"**pays, or 100% not** (failed)\n\n````text\nwant 1\n```\ngot 2\n````\n\n" +
		"| Phase | Time | Tasks |\n|---|---:|---:|\n| test | 2.0 s | 1 |\n\n" +
		"## ✅ a\\|b: passed\n\n2 passed, 0 failed. Set-up 20.2 s, tests 60.0 s, in all 90.0 s.\n\nThe cluster was made anew after 5.0 s: node died\n\n" +
		"| Package | Statements | Covered |\n|---|---:|---:|\n| pkg/a\\_b | 3 | 66.7 % |\n| **all** | 3 | **66.7 %** |\n\n"
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	if err := failed().Summarise(func(string) string { return "" }); err != nil {
		t.Errorf("outside of GitHub: %v", err)
	}
	if err := os.WriteFile(file, make([]byte, summaryBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := passed.Summarise(getenv); err == nil || err.Error() != "write the summary of the step: it is full" {
		t.Errorf("a full summary: %v", err)
	}
	file = filepath.Join(file, "below a file")
	if err := passed.Summarise(getenv); err == nil {
		t.Error("a file that cannot be written is no error")
	}
}
