package soak

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/hybrid-e2e/hybrid/hybrid/report"
)

const (
	// settled is the run after which caches are filled and nothing more is to stay on
	// the disk.
	settled = 5
	// flat is the part by which the disk use may grow after that. Engines tell their
	// use with three digits, so that less cannot be seen.
	flat = 0.01
)

// Run is what one run showed.
type Run struct {
	// Number counts from 1; Name is the run's id, which is also its folder.
	Number int           `json:"number"`
	Name   string        `json:"run"`
	Result report.Result `json:"result"`
	// Setup, Test and Total are the timeline's, in seconds; zero when the run did not
	// get there.
	Setup float64 `json:"setup_seconds"`
	Test  float64 `json:"test_seconds"`
	Total float64 `json:"total_seconds"`
	// Engine is what the engine takes on disk after the run, State what the checkout
	// keeps between runs, Artifacts what the run itself left, all in bytes. Engine is
	// nil when it is not told.
	Engine    *int64 `json:"engine_bytes"`
	State     int64  `json:"state_bytes"`
	Artifacts int64  `json:"artifacts_bytes"`
	// Log is the name of the file with the run's output.
	Log string `json:"log"`
}

// Report is what all runs showed.
type Report struct {
	Suite string `json:"suite"`
	// Wanted is how many runs there were to be.
	Wanted int   `json:"wanted"`
	Runs   []Run `json:"runs"`
}

// read takes the times from the run's timeline, which must not be that of the run
// before.
func (r *Run) read(folder string, before Report) error {
	t, err := report.Load(filepath.Join(folder, "latest", report.FileName))
	if err != nil {
		return err
	}
	if n := len(before.Runs); n > 0 && before.Runs[n-1].Name == t.Run {
		return errors.New("it left no timeline")
	}
	r.Name, r.Result, r.Setup, r.Test, r.Total = t.Run, t.Result, t.SetupSeconds, t.TestSeconds, t.TotalSeconds
	return nil
}

// measure looks at the disk. What cannot be found out is left out: the run has
// succeeded or failed without it.
func (r *Run) measure(ctx context.Context, o Options) {
	if o.Engine != nil {
		if n, err := o.Engine.DiskUse(ctx); err == nil {
			r.Engine = &n
		}
	}
	r.State = folderSize(o.State)
	if r.Name != "" {
		r.Artifacts = folderSize(filepath.Join(o.Folder, r.Name))
	}
}

// folderSize adds up the files that can be read.
func folderSize(folder string) (bytes int64) {
	_ = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return nil
	}) // Files come and go; nothing stops the walk.
	return bytes
}

// growth is the part by which the disk use grew after it had settled, negative when it
// shrank: the larger one of the engine's and of what the checkout keeps. It is not
// known when there was no run after that. Artifacts are meant to add up.
func (r Report) growth() (part float64, known bool) {
	if len(r.Runs) <= settled {
		return 0, false
	}
	base := r.Runs[settled-1]
	grown := func(from, to int64) {
		if from > 0 {
			part, known = max(part, float64(to-from)/float64(from)), true
		}
	}
	part = math.Inf(-1)
	for _, x := range r.Runs[settled:] {
		grown(base.State, x.State)
		if base.Engine != nil && x.Engine != nil {
			grown(*base.Engine, *x.Engine)
		}
	}
	return part, known
}

// save writes the table and the numbers into the folder.
func (r Report) save(folder string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	for name, content := range map[string]string{"soak.json": string(b) + "\n", "soak.txt": r.Table()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("keep the table: %w", err)
		}
	}
	return nil
}

// Table is the report as text: a line for each run, then the least, the middle and the
// most of those that passed, then the judgement.
func (r Report) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "run\tresult\tset-up\ttest\ttotal\tengine\tstate\tartifacts\t")
	var passed []Run
	for _, x := range r.Runs {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", x.Number, x.Result, tenths(x.Setup), tenths(x.Test), tenths(x.Total),
			size(x.Engine), size(&x.State), size(&x.Artifacts))
		if x.Result == report.Passed {
			passed = append(passed, x)
		}
	}
	if len(passed) > 0 {
		setup := sorted(passed, func(x Run) float64 { return x.Setup })
		test := sorted(passed, func(x Run) float64 { return x.Test })
		total := sorted(passed, func(x Run) float64 { return x.Total })
		for _, row := range []struct {
			name string
			of   func([]float64) float64
		}{{"min", slices.Min[[]float64]}, {"median", median}, {"max", slices.Max[[]float64]}} {
			fmt.Fprintf(w, "%s\t\t%s\t%s\t%s\t\t\t\t\n", row.name, tenths(row.of(setup)), tenths(row.of(test)), tenths(row.of(total)))
		}
	}
	_ = w.Flush() // A strings.Builder takes everything.
	fmt.Fprintf(&b, "%d of %d runs of %s passed%s\n", len(passed), r.Wanted, r.Suite, r.rest())
	return b.String()
}

// rest says what did not happen and what the disk did.
func (r Report) rest() string {
	var text string
	if n := r.Wanted - len(r.Runs); n > 0 {
		text += fmt.Sprintf(", %d did not take place", n)
	}
	switch growth, known := r.growth(); {
	case !known:
		text += fmt.Sprintf("; whether disk use is flat shows after run %d", settled)
	case growth > flat:
		text += fmt.Sprintf("; disk use is NOT flat: it grew by %.1f %% after run %d", growth*100, settled)
	default:
		text += fmt.Sprintf("; disk use is flat from run %d on", settled)
	}
	return text
}

func sorted(runs []Run, of func(Run) float64) []float64 {
	values := make([]float64, len(runs))
	for i, x := range runs {
		values[i] = of(x)
	}
	slices.SortFunc(values, cmp.Compare)
	return values
}

// median needs sorted values, at least one.
func median(values []float64) float64 {
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

func tenths(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f s", seconds)
}

func size(bytes *int64) string {
	switch {
	case bytes == nil:
		return "unknown"
	case *bytes < 1e6:
		return fmt.Sprintf("%d kB", *bytes/1e3)
	case *bytes < 10e9:
		return fmt.Sprintf("%d MB", *bytes/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(*bytes)/1e9)
}
