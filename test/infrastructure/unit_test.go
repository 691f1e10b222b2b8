package infrastructure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
)

// someTests runs the tests of a folder with two packages in place of our own.
type someTests struct{ dir string }

func (s someTests) Run(ctx context.Context, c command.Command) ([]byte, error) {
	c.Dir, c.Args = s.dir, []string{"go", "test", "-json", "./..."}
	return command.Exec{}.Run(ctx, c)
}

func TestUnitTestsAreToldAndKept(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":         "module example.org/shop\n",
		"a/a_test.go":    "package a\n\nimport \"testing\"\n\nfunc TestGood(t *testing.T) { t.Log(\"quiet\") }\n\nfunc TestBad(t *testing.T) { t.Run(\"part\", func(t *testing.T) { t.Error(\"loud\") }) }\n",
		"b/b_test.go":    "package b\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) {}\n",
		"none/none.go":   "package none\n",
		"bad/bad.go":     "package bad\n\nfunc f() int {}\n",
		"bad/go_test.go": "package bad\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	file := filepath.Join(t.TempDir(), "new", resultsFile)
	err := unitTests(t.Context(), someTests{dir}, dir, &out, nil, file)
	if !errors.Is(err, errUnitTests) || ExitCode(err) != 1 {
		t.Errorf("exit code %d, %v", ExitCode(err), err)
	}
	for _, want := range []string{"--- FAIL: TestBad/part (", "loud\n", "--- FAIL: TestBad (", "FAIL\texample.org/shop/a\t", "ok  \texample.org/shop/b\t", "?   \texample.org/shop/none\t[no test files]\n", "missing return"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not print %q", want)
		}
	}
	for _, noise := range []string{"quiet", "=== RUN", "PASS\n", "{"} {
		if strings.Contains(out.String(), noise) {
			t.Errorf("it prints %q", noise)
		}
	}
	if t.Failed() {
		t.Logf("it prints\n%s", &out)
	}
	results, err := readResults(file)
	if err != nil {
		t.Fatal(err)
	}
	if results.Tests != 5 || results.Failures != 2 || results.Errors != 1 {
		t.Errorf("%d tests, %d failures, %d errors, want 5, 2, 1: %+v", results.Tests, results.Failures, results.Errors, results)
	}
}

func TestResultsOfSuitesAreAdded(t *testing.T) {
	dir := t.TempDir()
	all, suite := filepath.Join(dir, resultsFile), filepath.Join(dir, "suite.xml")
	content := `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" disabled="0" errors="0" failures="1" time="3.5">
  <testsuite name="Shop" package="/shop" tests="2" disabled="0" skipped="0" errors="0" failures="1" time="3.5" timestamp="2026-11-26T12:00:00">
    <testcase name="[It] sells" classname="Shop" status="passed" time="1.5"></testcase>
    <testcase name="[It] refuses" classname="Shop" status="failed" time="2"><failure message="no" type="failed">where</failure></testcase>
  </testsuite>
</testsuites>
`
	if err := os.WriteFile(suite, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := errors.Join(addResults(all, suite), addResults(all, filepath.Join(dir, "none.xml"))); err != nil {
			t.Fatal(err)
		}
		results, err := readResults(all)
		if err != nil {
			t.Fatal(err)
		}
		n := i + 1
		last := results.Suites[i]
		got := fmt.Sprint(results.Tests, results.Failures, len(results.Suites), last.ID, last.Name, last.Testcases[1].Name, last.Testcases[1].Failure.Data)
		if want := fmt.Sprint(2*n, n, n, i, "Shop", "[It] refuses", "where"); got != want {
			t.Errorf("after %d: %s, want %s", n, got, want)
		}
	}
	if err := os.WriteFile(suite, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := addResults(all, suite); err == nil || !strings.HasPrefix(err.Error(), "read results in "+suite+": ") {
		t.Errorf("of a file that is none: %v", err)
	}
}
