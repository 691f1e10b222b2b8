package github

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
)

const (
	// marker is set to true in every step of GitHub Actions.
	marker = "GITHUB_ACTIONS"
	// summaryVariable names the file to which a step adds its summary.
	summaryVariable = "GITHUB_STEP_SUMMARY"
	// summaryBytes is how much GitHub takes of a step's summary: 1 MiB.
	summaryBytes = 1 << 20
)

// Here tells whether this is a step of GitHub Actions.
func Here(getenv func(string) string) bool { return getenv(marker) == "true" }

// Run is what is told of a run.
type Run struct {
	Timeline report.Timeline
	// Specs are nil when none ran.
	Specs *report.Summary
	// Coverage is empty when none was collected.
	Coverage coverage.Result
	// Root is the repository's folder: annotations name files below it.
	Root string
}

// Annotate writes a workflow command for each failed spec, which GitHub shows at its line,
// and one for a failure that is not of specs.
func (r Run) Annotate(out io.Writer) {
	var failures []report.Spec
	if r.Specs != nil {
		failures = r.Specs.Failures()
	}
	for _, spec := range failures {
		file, line, _ := cutLast(spec.Location, ":")
		if rel, err := filepath.Rel(r.Root, file); err == nil {
			file = filepath.ToSlash(rel)
		}
		fmt.Fprintf(out, "::error file=%s,line=%s,title=%s::%s\n", property(file), property(line), property(spec.Name), data(spec.Message))
	}
	if len(failures) == 0 && r.Timeline.Error != "" {
		fmt.Fprintf(out, "::error title=%s::%s\n", property(r.Timeline.Suite+": "+string(r.Timeline.Result)), data(r.Timeline.Error))
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// data escapes the text of a workflow command, property that of one of its properties, as
// GitHub's own toolkit does.
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

// Summarise adds the run to the summary of the step, if there is one.
func (r Run) Summarise(getenv func(string) string) (err error) {
	name := getenv(summaryVariable)
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the summary of the step: %w", err)
	}
	text := r.Markdown()
	info, err := f.Stat()
	if err == nil && info.Size()+int64(len(text)) > summaryBytes {
		err = errors.New("it is full")
	}
	if err == nil {
		_, err = io.WriteString(f, text)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the summary of the step: %w", err)
	}
	return nil
}

// Markdown is the run as a section: result, failed specs, phases and coverage.
func (r Run) Markdown() string {
	var b strings.Builder
	sign := "❌"
	if r.Timeline.Result == report.Passed {
		sign = "✅"
	}
	fmt.Fprintf(&b, "## %s %s: %s\n\n", sign, cell(r.Timeline.Suite), r.Timeline.Result)
	if r.Specs != nil {
		fmt.Fprintf(&b, "%s. ", r.Specs)
	}
	fmt.Fprintf(&b, "Set-up %.1f s, tests %.1f s, in all %.1f s.\n", r.Timeline.SetupSeconds, r.Timeline.TestSeconds, r.Timeline.TotalSeconds)
	if r.Timeline.Rebuilt > 0 {
		fmt.Fprintf(&b, "\nThe cluster was made anew after %.1f s: %s\n", r.Timeline.Rebuilt, cell(r.Timeline.RebuiltBecause))
	}
	if r.Specs != nil {
		for _, spec := range r.Specs.Failures() {
			fmt.Fprintf(&b, "\n**%s** (%s)\n%s", cell(spec.Name), spec.State, block(spec.Message))
		}
	}
	if r.Timeline.Error != "" && (r.Specs == nil || len(r.Specs.Failures()) == 0) {
		b.WriteString(block(r.Timeline.Error))
	}
	if len(r.Timeline.Phases) > 0 {
		b.WriteString("\n| Phase | Time | Tasks |\n|---|---:|---:|\n")
	}
	for _, p := range r.Timeline.Phases {
		fmt.Fprintf(&b, "| %s | %.1f s | %d |\n", cell(p.Name), p.End-p.Start, len(p.Tasks))
	}
	if len(r.Coverage.Packages) > 0 {
		b.WriteString("\n| Package | Statements | Covered |\n|---|---:|---:|\n")
		for _, p := range r.Coverage.Packages {
			fmt.Fprintf(&b, "| %s | %d | %.1f %% |\n", cell(p.Path), p.Statements, p.Percent)
		}
		fmt.Fprintf(&b, "| **all** | %d | **%.1f %%** |\n", r.Coverage.Total.Statements, r.Coverage.Total.Percent)
	}
	return b.String() + "\n"
}

// cell is text in one line in which nothing means something to Markdown.
func cell(s string) string {
	return strings.NewReplacer("\\", `\\`, "|", `\|`, "\n", " ", "\r", " ", "<", "&lt;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`).Replace(s)
}

// block is text as it is, in a fence that is longer than any in it.
func block(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return "\n" + fence + "text\n" + strings.TrimSpace(s) + "\n" + fence + "\n"
}
