package scaling

import (
	"bytes"
	"cmp"
	_ "embed" // The template below.
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"

	"github.com/hybrid-e2e/hybrid/test/bench/speed"
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

// chart draws the middle run of each number of services as a bar, in an SVG that needs
// nothing else and follows the reader's choice of light or dark.
func (g growth) chart() ([]byte, error) {
	t, err := template.New("").Parse(chartTemplate)
	if err != nil {
		return nil, fmt.Errorf("read the template of the chart: %w", err)
	}
	axis := barTop + len(counts())*barPitch
	values := map[string]any{
		"Axis": axis, "AxisText": axis + 18, "NoteY": axis + 44, "SourceY": axis + 64, "Height": axis + 76,
		"Legend": legend(), "Note": g.conclusion(),
		"Source": fmt.Sprintf("%s, %d processors, %s; the middle run of each.", g.Command, g.Processors, g.Started.Format(time.DateOnly)),
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
		longest = max(longest, g.middle(n)[partWhole])
	}
	step := tickStep(longest)
	scale := chartWidth / (step * math.Max(1, math.Ceil(longest/step)))
	for i, n := range counts() {
		took := g.middle(n)
		b := bar{Name: side(n), Y: barTop + i*barPitch, Total: fmt.Sprintf("%.1f", took[partWhole])}
		b.TextY = b.Y + 19
		x := chartLeft
		for _, phase := range phases() {
			b.Parts = append(b.Parts, piece{Name: phase, Seconds: fmt.Sprintf("%.1f", took[phase]), X: pixels(x), Width: pixels(took[phase] * scale)})
			x += took[phase] * scale
		}
		b.End = pixels(x + 8)
		bars = append(bars, b)
	}
	for at := 0.0; at*scale <= chartWidth+0.5; at += step {
		ticks = append(ticks, tick{X: pixels(chartLeft + at*scale), Seconds: fmt.Sprintf("%.0f", at)})
	}
	return bars, ticks
}

// middle is the run whose whole is in the middle of all: medians of the phases need not
// add up to that of the whole. Of an even number it is the shorter of two.
func (g growth) middle(n int) speed.Parts {
	samples := g.Samples[side(n)]
	order := make([]int, len(samples[partWhole]))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(samples[partWhole][a], samples[partWhole][b]) })
	parts := speed.Parts{}
	for part, seconds := range samples {
		parts[part] = seconds[order[(len(order)-1)/2]]
	}
	return parts
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
