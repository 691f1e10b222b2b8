package page

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// timeline is of a run of 10 s whose images end last, with one that is not waited for.
func timeline() report.Timeline {
	return report.Timeline{
		Run: "20261126-120000-shop", Suite: "shop", Result: report.Passed, Started: noon, ImageSource: "local",
		SetupSeconds: 7, TestSeconds: 2, TotalSeconds: 10,
		Phases: []report.Phase{
			{Name: "build", Start: 0, End: 5, Tasks: []report.Task{
				{Name: "image.a", Start: 0, End: 5, Outcome: task.Done},
				{Name: "image.b", Start: 0, End: 3, Outcome: task.Done, Detail: "key <1>"},
				{Name: "image.c", Start: 0, End: 0, Outcome: task.Cached},
			}},
			{Name: "cluster", Start: 5, End: 7, Tasks: []report.Task{{Name: "cluster.create", Start: 5.01, End: 7, Outcome: task.Done}}},
			{Name: "test", Start: 7, End: 10, Tasks: []report.Task{{Name: "specs.shop", Start: 7, End: 10, Outcome: task.Done}}},
		},
	}
}

// written makes the page of r and returns its text and its tree.
func written(t *testing.T, dir string, r Report) (string, *html.Node) {
	t.Helper()
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := html.Parse(strings.NewReader(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	return string(content), tree
}

// words is the text of a page as people read it.
func words(n *html.Node) string {
	var all []string
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "style" {
			all = append(all, strings.Fields(d.Data)...)
		}
	}
	return strings.Join(all, " ")
}

func TestPageOfAPassedRun(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "logs", "image.a.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	earlier := timeline()
	earlier.Run, earlier.SetupSeconds = "earlier", 9
	content, tree := written(t, dir, Report{
		Timeline: timeline(),
		Specs:    &report.Summary{Passed: 2, Specs: []report.Spec{{Name: "short", State: "passed", Duration: time.Second}, {Name: "long", State: "passed", Duration: 70 * time.Second}}},
		Coverage: coverage.Result{
			Total:    coverage.Count{Statements: 3, Covered: 2, Percent: 66.7},
			Packages: []coverage.Package{{Path: "pkg/a", Count: coverage.Count{Statements: 3, Covered: 2, Percent: 66.7}}},
			Floors:   []coverage.Floor{{Path: "pkg/a", Floor: 60, Count: coverage.Count{Percent: 66.7}, Met: true}},
		},
		Sources: []coverage.File{{Path: "pkg/a/a.go", Lines: []coverage.Line{{Text: "a < b", State: coverage.Missed}}}},
		Images:  []Image{{Name: "a", Key: "0123", Size: 237e6, Updated: "2026-11-26", Age: 12 * time.Hour, Origin: "built"}},
		Facts:   []Fact{{"engine", "docker 20.10.24"}}, Earlier: []report.Timeline{earlier},
	})
	text := words(tree)
	for _, want := range []string{
		"✓ passed · shop 20261126-120000-shop · started 2026-11-26 12:00:00 UTC", "in all 10.0 s set-up 7.0 s tests 2.0 s specs 2 passed coverage 66.7 %",
		"build 5.0 s ✓ image.a ◆ 5.0 s ✓ image.b 3.0 s ✓ cached: image.c", "✓ passed long 1 m 10 s ✓ passed short 1.0 s",
		"pkg/a 2 of 3 66.7 %", "✓ pkg/a has 66.7 %, at least 60.0 % wanted", "2 of 1 images built; base images: local", "a 0123 237 MB 2026-11-26, 12 h old built",
		"Medians of 1 earlier runs that passed: set-up 9.0 s, tests 2.0 s", "engine docker 20.10.24",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	for _, want := range []string{
		`<a href="logs/image.a.log">`, `title="key &lt;1&gt;"`, `<span class="miss">a &lt; b</span>`, `left: 50.10%; width: 19.90%`, `points="0.0,0.0 600.0,26.7"`,
	} {
		if !strings.Contains(content, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, "failed it") || strings.Contains(content, "ZgotmplZ") {
		t.Error("it tells of a failure, or the template put something where it may not be")
	}
}

// Nothing is fetched, and every link leads to a file of the run.
func TestPageStandsAlone(t *testing.T) {
	dir := writeExample(t)
	content, tree := written(t, dir, example())
	for n := range tree.Descendants() {
		if slices.Contains([]string{"script", "link", "img", "iframe", "object", "embed", "base"}, n.Data) && n.Type == html.ElementNode {
			t.Errorf("the page has a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "src" || a.Key == "srcset" || a.Key == "action" || strings.HasPrefix(a.Key, "on") || strings.Contains(a.Val, "://") {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
			if a.Key != "href" {
				continue
			}
			target, err := url.Parse(a.Val)
			inside := err == nil && target.Path == "" && strings.Contains(content, `id="`+target.Fragment+`"`)
			if !inside && !exists(filepath.Join(dir, filepath.FromSlash(a.Val))) {
				t.Errorf("the link %q leads nowhere", a.Val)
			}
		}
	}
}

func TestPageOfAFailedRun(t *testing.T) {
	dir := t.TempDir()
	failed := timeline()
	failed.Result, failed.Error, failed.Rebuilt, failed.RebuiltBecause = report.Failed, "specs failed: 1 of 2\n<b>", 3, "node n died"
	if err := os.MkdirAll(filepath.Join(dir, "diagnose"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "diagnose", "SUMMARY.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	content, tree := written(t, dir, Report{Timeline: failed, Specs: &report.Summary{Passed: 1, Failed: 1, Specs: []report.Spec{
		{Name: "good", State: "passed", Duration: time.Minute}, {Name: "bad", State: "timedout", Failed: true, Message: "Timed out", Location: "a_test.go:7"},
	}}})
	text := words(tree)
	for _, want := range []string{
		"✗ failed · shop", "The cluster was made anew after 3.0 s: node n died", "Why it failed specs failed: 1 of 2 <b> Evidence: diagnose/SUMMARY.md",
		"Failed specs ✗ bad timedout after 0.0 s, a_test.go:7 Timed out", "✗ timedout bad 0.0 s ✓ passed good 1 m 00 s",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if !strings.Contains(content, `<a href="diagnose/SUMMARY.md">`) || strings.Contains(text, "Earlier runs") {
		t.Error("the evidence is not linked, or there is a trend of nothing")
	}
}

func TestPageOfARunThatDidNothing(t *testing.T) {
	_, tree := written(t, t.TempDir(), Report{Timeline: report.Timeline{Suite: "shop", Result: report.Errored, Error: "no engine"}})
	if text := words(tree); !strings.Contains(text, "✗ error · shop") || !strings.Contains(text, "no engine") || strings.Contains(text, "Phases") {
		t.Errorf("the page says %s", text)
	}
	if err := (Report{}).Write(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there is no error")
	}
}

func TestCriticalPath(t *testing.T) {
	var names []string
	for _, p := range (Report{Timeline: timeline()}).Chart() {
		for _, b := range p.Bars {
			if b.Critical {
				names = append(names, b.Name)
			}
		}
	}
	if want := []string{"image.a", "cluster.create", "specs.shop"}; !slices.Equal(names, want) {
		t.Errorf("critical are %v, want %v", names, want)
	}
}

func TestEarlierRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "artifacts [1]")
	save := func(folder string, change func(*report.Timeline)) {
		run := timeline()
		run.Run = folder
		change(&run)
		if err := run.Save(filepath.Join(dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	for i, day := range []string{"21", "22", "23"} {
		save("202611"+day+"-120000-shop", func(r *report.Timeline) { r.Started = noon.AddDate(0, 0, i-5) })
	}
	save("20261124-120000-shop", func(r *report.Timeline) { r.Started, r.Result = noon.AddDate(0, 0, -2), report.Failed })
	save("20261125-120000-shop", func(r *report.Timeline) { r.Started, r.Suite = noon.AddDate(0, 0, -1), "other-shop" })
	save("20261126-120000-shop", func(*report.Timeline) {})
	if err := os.MkdirAll(filepath.Join(dir, "20261120-120000-shop"), 0o755); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, run := range Earlier(dir, "shop", noon, 2) {
		names = append(names, run.Run)
	}
	if want := []string{"20261122-120000-shop", "20261123-120000-shop"}; !slices.Equal(names, want) {
		t.Errorf("earlier are %v, want %v", names, want)
	}
	if found := Earlier(filepath.Join(dir, "none"), "shop", noon, 2); found != nil {
		t.Errorf("of nothing: %v", found)
	}
}
