package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// row is one line of the table; its times are text already.
type row struct{ name, start, length, outcome, detail string }

// Table is the timeline as text for a terminal: one line per phase and task,
// columns aligned, seconds with one decimal, the total last.
func (t Timeline) Table() string {
	rows := []row{{"phase / task", "start", "time", "outcome", "detail"}}
	for _, p := range t.Phases {
		rows = append(rows, row{name: p.Name, start: tenths(p.Start), length: tenths(p.End - p.Start)})
		for _, x := range p.Tasks {
			outcome := string(x.Outcome)
			if outcome == "" {
				outcome = "running"
			}
			rows = append(rows, row{"  " + x.Name, tenths(x.Start), tenths(x.End - x.Start), outcome, oneLine(x.Detail)})
		}
	}
	result := string(t.Result)
	if result == "" {
		result = "running"
	}
	rows = append(rows, row{"total", "", tenths(t.TotalSeconds), result, t.totals()})
	return align(rows)
}

// totals says how the total divides.
func (t Timeline) totals() string {
	var parts []string
	if t.SetupSeconds > 0 {
		parts = append(parts, "setup "+tenths(t.SetupSeconds))
	}
	if t.TestSeconds > 0 {
		parts = append(parts, "test "+tenths(t.TestSeconds))
	}
	if t.ImageSource != "" {
		parts = append(parts, "images from "+t.ImageSource)
	}
	return strings.Join(parts, ", ")
}

// align pads names and outcomes to the right and times to the left, and leaves
// no space at the end of a line.
func align(rows []row) string {
	var name, start, length, outcome int
	for _, r := range rows {
		name = max(name, utf8.RuneCountInString(r.name))
		start, length, outcome = max(start, len(r.start)), max(length, len(r.length)), max(outcome, len(r.outcome))
	}
	var b strings.Builder
	for _, r := range rows {
		line := fmt.Sprintf("%-*s  %*s  %*s  %-*s  %s", name, r.name, start, r.start, length, r.length, outcome, r.outcome, r.detail)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

func tenths(s float64) string { return fmt.Sprintf("%.1fs", s) }
