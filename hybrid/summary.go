package hybrid

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/report/github"
	"github.com/hybrid-e2e/hybrid/hybrid/report/page"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// What a run tells its user in the end.

// tell prints the outcome: the table of phases, where the artifacts are and, in
// failure, each error with what to do next.
func (p *Pipeline) tell(timeline report.Timeline, err error) {
	p.printer.Close()
	if len(timeline.Phases) > 1 {
		fmt.Fprintf(p.o.Out, "\n%s\n", phaseTable(timeline))
	}
	if p.summary != nil {
		fmt.Fprintf(p.o.Out, "%d passed, %d failed, %d skipped\n", p.summary.Passed, p.summary.Failed, p.summary.Skipped)
	}
	fmt.Fprintf(p.o.Out, "artifacts: %s\n", p.dir)
	if _, err := os.Stat(filepath.Join(p.dir, page.FileName)); err == nil {
		fmt.Fprintf(p.o.Out, "report: %s\n", filepath.Join(p.dir, page.FileName))
	}
	if github.Here(p.o.Getenv) {
		told := github.Run{Timeline: timeline, Specs: p.summary, Coverage: p.covered, Root: p.o.Root}
		told.Annotate(p.o.Out)
		if err := told.Summarise(p.o.Getenv); err != nil {
			fmt.Fprintf(p.o.Out, "  %v\n", err)
		}
	}
	if err != nil {
		p.printer.Failure(err)
		return
	}
	if p.cluster != nil && p.cluster.Kept() {
		fmt.Fprintf(p.o.Out, "cluster kept until %s: KUBECONFIG=%s (delete it with: mage down)\n",
			p.cluster.Expires().Local().Format("2006-01-02 15:04"), p.cluster.Kubeconfig)
	}
}

// phaseTable sums the timeline up, one line per phase.
func phaseTable(t report.Timeline) string {
	var b strings.Builder
	for _, phase := range t.Phases {
		cached := 0
		for _, x := range phase.Tasks {
			if x.Outcome == task.Cached {
				cached++
			}
		}
		fmt.Fprintf(&b, "  %-10s %7.1f s  %d tasks", phase.Name, phase.End-phase.Start, len(phase.Tasks))
		if cached > 0 {
			fmt.Fprintf(&b, ", %d cached", cached)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "  %-10s %7.1f s  setup %.1f s, tests %.1f s, images: %s\n", t.Result, t.TotalSeconds, t.SetupSeconds, t.TestSeconds, t.ImageSource)
	if t.Rebuilt > 0 {
		fmt.Fprintf(&b, "  the cluster was made anew after %.1f s: %s\n", t.Rebuilt, t.RebuiltBecause)
	}
	if len(t.StandIns) > 0 {
		fmt.Fprintf(&b, "  stand-ins made locally: %s\n", strings.Join(t.StandIns, ", "))
	}
	return b.String()
}

// offer tells where a deployed environment is found.
func (p *Pipeline) offer() {
	if p.env == nil {
		return
	}
	fmt.Fprintln(p.o.Out)
	for _, e := range p.suite.Endpoints {
		fmt.Fprintf(p.o.Out, "  %-20s %s\n", e.Name, p.env.Endpoints[e.Name])
	}
	fmt.Fprintf(p.o.Out, "  %-20s %s\n", "KUBECONFIG", p.env.Kubeconfig)
	fmt.Fprintf(p.o.Out, "  %-20s %s\n", EnvironmentVariable, p.environmentFile())
	if p.cluster.Kept() {
		fmt.Fprintf(p.o.Out, "  it is kept until %s; delete it with: mage down\n", p.cluster.Expires().Local().Format("2006-01-02 15:04"))
	}
}

// failures lists what did not succeed, one line per spec and one for its reason.
func failures(s report.Summary) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d", s.Failed, s.Passed+s.Failed)
	for _, spec := range s.Failures() {
		fmt.Fprintf(&b, "\n%s (%s)\n    %s: %s", spec.Name, spec.State, spec.Location, firstLines(spec.Message))
	}
	for _, reason := range s.Reasons {
		fmt.Fprintf(&b, "\n%s", reason)
	}
	return b.String()
}

// firstLines is the start of a failure message in one line. Gomega tells that something
// failed in the first line and what it was in those below.
func firstLines(message string) string {
	const lines = 3
	var kept []string
	for line := range strings.Lines(message) {
		if line = strings.TrimSpace(line); line != "" && len(kept) < lines {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, " ")
}

func result(ctx context.Context, err error) report.Result {
	switch {
	case err == nil:
		return report.Passed
	case ctx.Err() != nil:
		return report.Canceled
	case errors.Is(err, ErrSpecs):
		return report.Failed
	}
	return report.Errored
}
