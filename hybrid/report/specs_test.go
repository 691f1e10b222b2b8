package report

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

func TestSpecsReadsWhatGinkgoWrote(t *testing.T) {
	got, err := Specs(filepath.Join("testdata", "ginkgo.json"))
	if err != nil {
		t.Fatal(err)
	}
	failures := []Spec{
		{
			Name: "gateway when the store is away says so", State: "failed", Failed: true,
			Message:  "Expected\n    <string>: 503\nto equal\n    <string>: 202",
			Location: "/repo/test/e2e/example/e_test.go:11",
		},
		{
			Name: "gateway panics", State: "panicked", Failed: true,
			Message: "Test Panicked: boom", Location: "/repo/test/e2e/example/e_test.go:12",
		},
	}
	want := Summary{Passed: 1, Failed: 2, Skipped: 2, Specs: []Spec{
		{Name: "gateway answers", State: "passed", Duration: 1500 * time.Microsecond},
		failures[0], failures[1],
		{Name: "gateway is skipped", State: "skipped"},
		{Name: "gateway is pending", State: "pending"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("summary\n%+v\nwant\n%+v", got, want)
	}
	if got.String() != "1 passed, 2 failed, 2 skipped" {
		t.Errorf("text %q", got)
	}
	if !reflect.DeepEqual(got.Failures(), failures) {
		t.Errorf("failures %+v", got.Failures())
	}
}

func TestParseSpecsCountsAFailedSuiteNode(t *testing.T) {
	got, err := ParseSpecs([]byte(`[
	  {"SuiteSucceeded": true, "SpecReports": [{"LeafNodeType": "It", "LeafNodeText": "a", "State": "passed"}]},
	  {"SuiteSucceeded": false, "SpecialSuiteFailureReasons": ["Interrupted by User"], "SpecReports": [
	    {"LeafNodeType": "BeforeSuite", "State": "timedout", "Failure": {"Message": "no cluster", "Location": {"FileName": "s.go", "LineNumber": 3}}},
	    {"LeafNodeType": "AfterSuite", "State": "passed"}]}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{Passed: 1, Failed: 1, Reasons: []string{"Interrupted by User"}, Specs: []Spec{
		{Name: "a", State: "passed"},
		{Name: "[BeforeSuite]", State: "timedout", Failed: true, Message: "no cluster", Location: "s.go:3"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("summary\n%+v\nwant\n%+v", got, want)
	}
	if got.String() != "1 passed, 1 failed" {
		t.Errorf("text %q", got)
	}
}

func TestSpecsSaysWhatIsWrongWithTheReport(t *testing.T) {
	dir := t.TempDir()
	absent := filepath.Join(dir, "absent.json")
	_, err := Specs(absent)
	if err == nil || err.Error() != "read the results of the specs: open "+absent+": no such file or directory" {
		t.Errorf("error %v", err)
	}
	if next := fault.Next(err); next != "read the output of ginkgo: it ended before it wrote its report" {
		t.Errorf("next step %q", next)
	}
	path := filepath.Join(dir, "r.json")
	for content, want := range map[string]string{
		"":   "unexpected end of JSON input",
		"[]": "the report has no suite in it",
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Specs(path); err == nil || err.Error() != "read the results of the specs in "+path+": "+want {
			t.Errorf("content %q: error %v", content, err)
		}
	}
}

func FuzzParseSpecs(f *testing.F) {
	sample, err := os.ReadFile(filepath.Join("testdata", "ginkgo.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Add([]byte(`[{"SpecReports":[{"LeafNodeType":"It","State":"nonsense"}]}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSpecs(b)
		if err != nil {
			return
		}
		if s.Passed+s.Failed+s.Skipped != len(s.Specs) || len(s.Failures()) != s.Failed {
			t.Errorf("counts %s do not fit the %d specs listed", s, len(s.Specs))
		}
	})
}
