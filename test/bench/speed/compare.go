package speed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

const (
	// DefaultRounds is the smallest number of samples whose median one outlier on
	// either side does not move far.
	DefaultRounds = 5
	maxRounds     = 50
)

// Parts are named durations in seconds of one run of one side.
type Parts map[string]float64

// Side is one way to do what is compared.
type Side struct {
	Name string
	Run  func(ctx context.Context, log io.Writer) (Parts, error)
	// Floor says that the side shows what cannot be beaten, and is not judged.
	Floor bool
}

// Row is one part of a comparison, and which of its sides is to be how much faster.
type Row struct {
	Part string
	// Target is the largest median of the judged side, in seconds; zero means none.
	Target float64
	// Ratio is how many times faster the judged side must be than the first; zero means
	// that it is shown only.
	Ratio float64
	// Against has the same for other sides than the first, by their names.
	Against map[string]float64
}

// Comparison is what ran how often, with what came of it.
type Comparison struct {
	Name       string    `json:"name"`
	Command    string    `json:"command"`
	Started    time.Time `json:"started"`
	Processors int       `json:"processors"`
	Rounds     int       `json:"rounds"`
	// Samples has the seconds of each round by side and part.
	Samples map[string]map[string][]float64 `json:"samples_seconds"`
	sides   []string
	judged  string
}

// Rounds reads BENCH_ROUNDS; without it there are as many as fallback says.
func Rounds(getenv func(string) string, fallback int) (int, error) {
	text := getenv("BENCH_ROUNDS")
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxRounds {
		return 0, fault.With(fmt.Errorf("BENCH_ROUNDS=%q: want a whole number from 1 to %d", text, maxRounds), "mend BENCH_ROUNDS")
	}
	return n, nil
}

// Compare runs the sides in turn, tells out of each run in a line and lets each write
// to log. The name is that of the target, and of the files that are kept.
func Compare(ctx context.Context, name string, rounds int, out, log io.Writer, sides ...Side) (Comparison, error) {
	c := Comparison{
		Name: name, Command: fmt.Sprintf("BENCH_ROUNDS=%d mage bench:%s", rounds, name), Started: time.Now().UTC(),
		Processors: runtime.NumCPU(), Rounds: rounds, Samples: map[string]map[string][]float64{},
	}
	for _, s := range sides {
		c.sides = append(c.sides, s.Name)
		if !s.Floor {
			c.judged = s.Name
		}
		c.Samples[s.Name] = map[string][]float64{}
	}
	for round := range rounds {
		for _, s := range sides {
			_, _ = fmt.Fprintf(log, "== round %d, %s\n", round+1, s.Name)
			parts, err := s.Run(ctx, log)
			if err != nil {
				return c, fmt.Errorf("round %d, %s: %w", round+1, s.Name, err)
			}
			c.add(s.Name, parts)
			_, _ = fmt.Fprintf(out, "  %d of %d  %-32s %s\n", round+1, rounds, s.Name, parts)
		}
	}
	return c, nil
}

func (c Comparison) add(side string, parts Parts) {
	for part, seconds := range parts {
		c.Samples[side][part] = append(c.Samples[side][part], seconds)
	}
}

// String lists the parts in alphabetical order.
func (p Parts) String() string {
	var list []string
	for part, seconds := range p {
		list = append(list, fmt.Sprintf("%s %.2f s", part, seconds))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// Median is that of a part of a side; zero when there is no sample.
func (c Comparison) Median(side, part string) float64 { return median(c.Samples[side][part]) }

// median is the middle of the samples, or the mean of the two in the middle.
func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Table shows for each row the median of each side with the range, and how many times
// faster the judged side is than the first, and than those that a row names. That is the
// last one which is no floor.
func (c Comparison) Table(rows []Row) string {
	others := against(rows)
	head := append(append([]string{"seconds, median (min–max)"}, c.sides...), "ratio")
	for _, side := range others {
		head = append(head, "to "+side)
	}
	cells := [][]string{append(head, "target")}
	for _, row := range rows {
		line := []string{row.Part}
		for _, side := range c.sides {
			line = append(line, c.Figure(side, row.Part))
		}
		for _, side := range append(c.sides[:1:1], others...) {
			line = append(line, ratioText(c.ratio(side, row.Part)))
		}
		cells = append(cells, append(line, row.target()))
	}
	return Align(cells)
}

// against lists the sides that rows name.
func against(rows []Row) []string {
	var sides []string
	for _, row := range rows {
		sides = slices.AppendSeq(sides, maps.Keys(row.Against))
	}
	slices.Sort(sides)
	return slices.Compact(sides)
}

// ratio is how many times faster the judged side is than another; zero when one of them
// does not have the part.
func (c Comparison) ratio(side, part string) float64 {
	other, judged := c.Median(side, part), c.Median(c.judged, part)
	if other == 0 || judged == 0 {
		return 0
	}
	return other / judged
}

// missed tells which rows are not met.
func (c Comparison) missed(rows []Row) error {
	var errs []error
	for _, row := range rows {
		took := c.Median(c.judged, row.Part)
		if row.Target > 0 && took > row.Target {
			errs = append(errs, fmt.Errorf("%w: %s takes %.2f s, wanted are %g", infrastructure.ErrMissed, row.Part, took, row.Target))
		}
		errs = append(errs, c.slower(row, c.sides[0], row.Ratio))
		for _, side := range against([]Row{row}) {
			errs = append(errs, c.slower(row, side, row.Against[side]))
		}
	}
	return errors.Join(errs...)
}

// slower is an error when the judged side is less than so many times faster than another.
func (c Comparison) slower(row Row, side string, wanted float64) error {
	if ratio := c.ratio(side, row.Part); ratio < wanted {
		return fmt.Errorf("%w: %s is %.2f times faster than %s, wanted are %g", infrastructure.ErrMissed, row.Part, ratio, side, wanted)
	}
	return nil
}

func (r Row) target() string {
	var parts []string
	if r.Target > 0 {
		parts = append(parts, fmt.Sprintf("≤ %g s", r.Target))
	}
	if r.Ratio > 0 {
		parts = append(parts, fmt.Sprintf("≥ %g×", r.Ratio))
	}
	for _, side := range against([]Row{r}) {
		parts = append(parts, fmt.Sprintf("≥ %g× to %s", r.Against[side], side))
	}
	return strings.Join(parts, "; ")
}

// Figure is the median of a part of a side with the range of the samples.
func (c Comparison) Figure(side, part string) string {
	samples := c.Samples[side][part]
	if len(samples) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(samples), slices.Min(samples), slices.Max(samples))
}

func ratioText(ratio float64) string {
	switch {
	case ratio == 0:
		return ""
	case ratio < 1: // Its target is a fraction, too.
		return fmt.Sprintf("%.2f×", ratio)
	}
	return fmt.Sprintf("%.1f×", ratio)
}

// finish prints the comparison, keeps it in dir and tells what is not met.
func (c Comparison) finish(dir string, rows []Row, out io.Writer) error {
	if err := c.Keep(dir, c.Table(rows), out); err != nil {
		return err
	}
	return c.missed(rows)
}

// Keep prints table below a line that says what ran where, and keeps both, and all
// samples as JSON, in dir.
func (c Comparison) Keep(dir, table string, out io.Writer) error {
	text := fmt.Sprintf("%s, %s, %d processors\n\n%s", c.Command, c.Started.Format(time.RFC3339), c.Processors, table)
	_, _ = fmt.Fprintf(out, "\n%s\n", text)
	encoded, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the comparison: %w", err)
	}
	for name, content := range map[string][]byte{c.Name + ".json": append(encoded, '\n'), c.Name + ".txt": []byte(text)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("keep the comparison: %w", err)
		}
	}
	_, _ = fmt.Fprintf(out, "kept in %s\n", dir)
	return nil
}

// Align pads all columns on their right, by characters.
func Align(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		padded := make([]string, len(row))
		for i, cell := range row {
			padded[i] = cell + strings.Repeat(" ", widths[i]-len([]rune(cell)))
		}
		b.WriteString(strings.TrimRight(strings.Join(padded, "  "), " ") + "\n")
	}
	return b.String()
}
