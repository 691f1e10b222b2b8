package page

import (
	"bytes"
	_ "embed" // The template below.
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// FileName is the name of the page inside a run's folder.
const FileName = "report.html"

//go:embed page.html.tmpl
var text string

// Report is what the page shows. What a run did not come to is left empty.
type Report struct {
	Timeline report.Timeline
	// Specs are the results of the specs; nil when none ran.
	Specs *report.Summary
	// Coverage is empty when none was collected, and so are its Sources.
	Coverage coverage.Result
	Sources  []coverage.File
	Images   []Image
	// Facts tell of the machine and the settings.
	Facts []Fact
	// Earlier are runs of the same suite in the same checkout, oldest first.
	Earlier []report.Timeline
}

// Image is one image of the suite.
type Image struct {
	Name string
	// Key is its content key.
	Key string
	// Size is in bytes, shared layers counted; zero when it is not known.
	Size int64
	// Updated is the epoch of its security updates, as a date or a time; empty when it has
	// none.
	Updated string
	// Age is the time from Updated to the end of the run.
	Age time.Duration
	// Origin says whether it was cached or built, and why.
	Origin string
}

// Fact is something that is good to know when runs are compared.
type Fact struct{ Name, Value string }

// Write makes the page in the run's folder, whose files it links to.
func (r Report) Write(dir string) error {
	t, err := template.New(FileName).Funcs(template.FuncMap{
		"seconds": seconds, "mark": mark, "percent": func(p float64) string { return fmt.Sprintf("%.1f %%", p) },
		"megabytes": func(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) },
		"duration":  func(d time.Duration) string { return seconds(d.Seconds()) },
		"specs":     specs, "sources": sources, "age": age, "log": func(name string) string { return logFile(dir, name) },
		"exists": func(name string) bool { return exists(filepath.Join(dir, name)) },
	}).Parse(text)
	if err != nil {
		return fmt.Errorf("read the template of the report: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, r); err != nil {
		return fmt.Errorf("make the report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileName), out.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func seconds(s float64) string {
	const minute = 60
	if s < minute {
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%d m %02d s", int(s)/minute, int(s)%minute)
}

// age is a time that has passed, in words, rounded down.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d/day))
}

// source is a file of a package.
type source struct {
	coverage.File
	// Package is the path of its folder, Name what follows.
	Package, Name string
}

// sources are the files of a package.
func sources(r Report, pkg string) []source {
	var found []source
	for _, f := range r.Sources {
		if dir, name := path.Split(f.Path); path.Clean(dir) == pkg {
			found = append(found, source{File: f, Package: pkg, Name: name})
		}
	}
	return found
}

// mark is a sign for an outcome, since colour alone says nothing to some.
func mark(outcome any) string {
	switch fmt.Sprint(outcome) {
	case string(task.Done), string(task.Cached), string(report.Passed):
		return "✓"
	case string(task.Canceled), "skipped", "pending", "":
		return "–"
	}
	return "✗"
}

// specs are in the order in which they are of interest: failed ones first, then by time.
func specs(s *report.Summary) []report.Spec {
	sorted := slices.Clone(s.Specs)
	slices.SortStableFunc(sorted, func(a, b report.Spec) int {
		if a.Failed != b.Failed {
			if a.Failed {
				return -1
			}
			return 1
		}
		return int(b.Duration - a.Duration)
	})
	return sorted
}

// logFile is where the log of a task is found from the page, empty when it has none.
func logFile(dir, name string) string {
	file := filepath.Join("logs", name+".log")
	if !exists(filepath.Join(dir, file)) {
		return ""
	}
	return filepath.ToSlash(file)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// Earlier finds the runs of a suite in a folder of artifacts that began before a time: at
// most so many, the latest, oldest first. What cannot be read is left out.
func Earlier(artifacts, suite string, before time.Time, most int) []report.Timeline {
	var found []report.Timeline
	for t := range report.Recent(artifacts, suite) {
		if t.Result != report.Passed || !t.Started.Before(before) {
			continue
		}
		if found = append(found, t); len(found) == most {
			break
		}
	}
	slices.Reverse(found)
	return found
}
