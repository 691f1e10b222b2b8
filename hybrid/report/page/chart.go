package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/report"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// Bar is a task in the chart of the run.
type Bar struct {
	report.Task
	// Left and Width are in percent of the run.
	Left, Width float64
	// Critical says that the run would have been shorter had the task been.
	Critical bool
}

// Phase is a phase with its tasks as bars.
type Phase struct {
	report.Phase
	Left, Width float64
	Bars        []Bar
	// Cached names the tasks that had nothing to do.
	Cached []string
}

// Chart places all tasks on the time of the run.
func (r Report) Chart() []Phase {
	whole := r.Timeline.TotalSeconds
	for _, p := range r.Timeline.Phases {
		whole = max(whole, p.End)
	}
	if whole <= 0 {
		return nil
	}
	critical := r.critical()
	place := func(start, end float64) (left, width float64) {
		return 100 * start / whole, 100 * max(0, end-start) / whole
	}
	phases := make([]Phase, len(r.Timeline.Phases))
	for i, p := range r.Timeline.Phases {
		phases[i].Phase = p
		phases[i].Left, phases[i].Width = place(p.Start, p.End)
		for j, t := range p.Tasks {
			if t.Outcome == task.Cached {
				phases[i].Cached = append(phases[i].Cached, t.Name)
				continue
			}
			b := Bar{Task: t, Critical: critical[[2]int{i, j}]}
			b.Left, b.Width = place(t.Start, t.End)
			phases[i].Bars = append(phases[i].Bars, b)
		}
	}
	return phases
}

// handover is how much the end of one task and the start of the next, which waited for
// it, may differ in seconds.
const handover = 0.02

// critical finds the chain of tasks that the length of the run comes from, from its end:
// the task that ended last, then the one that ended last before that began, and so on.
func (r Report) critical() map[[2]int]bool {
	type placed struct {
		at [2]int
		report.Task
	}
	var all []placed
	for i, p := range r.Timeline.Phases {
		for j, t := range p.Tasks {
			if t.End > t.Start {
				all = append(all, placed{[2]int{i, j}, t})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(b.End, a.End) })
	chain := map[[2]int]bool{}
	for next, i := r.Timeline.TotalSeconds, 0; i < len(all); i++ {
		if len(chain) == 0 || all[i].End <= next+handover && all[i].Start < next-handover {
			chain[all[i].at] = true
			next = all[i].Start
		}
	}
	return chain
}

// Built counts the images that were built, of all.
func (r Report) Built() string {
	built := 0
	for _, p := range r.Timeline.Phases {
		for _, t := range p.Tasks {
			if p.Name == report.PhaseBuild && strings.HasPrefix(t.Name, "image.") && t.Outcome == task.Done {
				built++
			}
		}
	}
	return fmt.Sprintf("%d of %d images built", built, len(r.Images))
}

// The drawing of the trend, in the units of its view box.
const (
	trendWidth, trendHeight = 600, 120
	// trendRuns is the least number of runs that make a trend.
	trendRuns = 2
)

// Trend is how set-up and tests have taken from run to run.
type Trend struct {
	// Setup and Test are the points of lines.
	Setup, Test string
	// Most is the longest time, at the top.
	Most float64
	Runs []report.Timeline
	// SetupMedian and TestMedian are of the earlier runs, in seconds.
	SetupMedian, TestMedian float64
}

// Trend compares the run with earlier ones; nil when there are too few.
func (r Report) Trend() *Trend {
	runs := slices.Clone(r.Earlier)
	if r.Timeline.Result == report.Passed {
		runs = append(runs, r.Timeline)
	}
	if len(runs) < trendRuns || len(r.Earlier) == 0 {
		return nil
	}
	t := &Trend{Runs: runs}
	for _, run := range runs {
		t.Most = max(t.Most, run.SetupSeconds, run.TestSeconds)
	}
	if t.Most <= 0 {
		return nil
	}
	line := func(of func(report.Timeline) float64) string {
		points := make([]string, len(runs))
		for i, run := range runs {
			points[i] = fmt.Sprintf("%.1f,%.1f", float64(trendWidth*i)/float64(len(runs)-1), trendHeight-trendHeight*of(run)/t.Most)
		}
		return strings.Join(points, " ")
	}
	setup := func(t report.Timeline) float64 { return t.SetupSeconds }
	test := func(t report.Timeline) float64 { return t.TestSeconds }
	t.Setup, t.Test = line(setup), line(test)
	t.SetupMedian, t.TestMedian = median(r.Earlier, setup), median(r.Earlier, test)
	return t
}

func median(runs []report.Timeline, of func(report.Timeline) float64) float64 {
	values := make([]float64, len(runs))
	for i, run := range runs {
		values[i] = of(run)
	}
	slices.Sort(values)
	middle := len(values) / 2 //nolint:mnd // That is what a median is.
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2 //nolint:mnd // As above.
	}
	return values[middle]
}

// Length is how long the task took, in seconds.
func (b Bar) Length() float64 { return max(0, b.End-b.Start) }

// Length is how long the phase took, in seconds.
func (p Phase) Length() float64 { return max(0, p.End-p.Start) }
