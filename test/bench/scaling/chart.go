package scaling

import (
	"bytes"
	_ "embed" // The template below.
	"fmt"
	"html/template"
	"math"
	"time"
)

//go:embed chart.svg.tmpl
var chartTemplate string

// The layout of the chart, in pixels.
const (
	chartLeft  = 100.0
	chartWidth = 580.0
	barTop     = 52
	barPitch   = 44
)

// bar is what was measured with one number of services.
type bar struct {
	Name     string
	Y, TextY int
	Parts    []piece
	End      string
	Total    string
}

// piece is a phase of a bar, or its entry in the legend.
type piece struct {
	Name, Seconds   string
	X, Width, TextX string
}

// tick is a line of the grid.
type tick struct{ X, Seconds string }

// chart draws the medians of the phases, one bar for each number of services, as an SVG
// that needs nothing else and follows the reader's choice of light or dark.
func (g growth) chart() ([]byte, error) {
	t, err := template.New("").Parse(chartTemplate)
	if err != nil {
		return nil, fmt.Errorf("read the template of the chart: %w", err)
	}
	axis := barTop + len(counts())*barPitch
	values := map[string]any{
		"Axis": axis, "AxisText": axis + 18, "NoteY": axis + 44, "SourceY": axis + 64, "Height": axis + 76,
		"Legend": legend(), "Note": g.conclusion(),
		"Source": fmt.Sprintf("%s, %d processors, %s; medians.", g.Command, g.Processors, g.Started.Format(time.DateOnly)),
	}
	values["Bars"], values["Ticks"] = g.bars()
	var out bytes.Buffer
	if err := t.Execute(&out, values); err != nil {
		return nil, fmt.Errorf("draw the chart: %w", err)
	}
	return out.Bytes(), nil
}

func legend() []piece {
	var entries []piece
	for i, phase := range phases() {
		x := chartLeft + float64(i)*110
		entries = append(entries, piece{Name: phase, X: pixels(x), TextX: pixels(x + 18)})
	}
	return entries
}

// bars lays the phases one behind the other, as they run.
func (g growth) bars() (bars []bar, ticks []tick) {
	longest := 0.0
	for _, n := range counts() {
		longest = max(longest, g.sum(n))
	}
	step := tickStep(longest)
	scale := chartWidth / (step * math.Max(1, math.Ceil(longest/step)))
	for i, n := range counts() {
		b := bar{Name: side(n), Y: barTop + i*barPitch, Total: fmt.Sprintf("%.1f", g.Median(side(n), partWhole))}
		b.TextY = b.Y + 19
		x := chartLeft
		for _, phase := range phases() {
			took := g.Median(side(n), phase)
			b.Parts = append(b.Parts, piece{Name: phase, Seconds: fmt.Sprintf("%.1f", took), X: pixels(x), Width: pixels(took * scale)})
			x += took * scale
		}
		b.End = pixels(x + 8)
		bars = append(bars, b)
	}
	for at := 0.0; at*scale <= chartWidth+0.5; at += step {
		ticks = append(ticks, tick{X: pixels(chartLeft + at*scale), Seconds: fmt.Sprintf("%.0f", at)})
	}
	return bars, ticks
}

// sum is how long a bar is: medians of phases need not add up to that of the whole.
func (g growth) sum(n int) float64 {
	total := 0.0
	for _, phase := range phases() {
		total += g.Median(side(n), phase)
	}
	return total
}

// tickStep gives between three and nine lines of the grid, at round numbers of seconds.
func tickStep(longest float64) float64 {
	for step := 1.0; ; step *= 10 {
		for _, factor := range []float64{1, 2, 5} {
			if longest <= 8*step*factor {
				return step * factor
			}
		}
	}
}

func pixels(x float64) string { return fmt.Sprintf("%.1f", x) }
