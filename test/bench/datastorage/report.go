package datastorage

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// Result is what one step measured.
type Result struct {
	Name string `json:"name"`
	// Events is how many events were written, or queries asked.
	Events int `json:"events"`
	// Queued is how many of them were queued first.
	Queued    int     `json:"queued"`
	PerSecond float64 `json:"per_second"`
	// P50 and P99 are times of a request in milliseconds; 0 where there are none.
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Memory Memory  `json:"memory_mib"`
	Target string  `json:"target,omitempty"`
	// Missed says in what the step falls short of its targets.
	Missed []string `json:"missed,omitempty"`
}

// Report is a whole measurement.
type Report struct {
	Run     string    `json:"run"`
	Started time.Time `json:"started"`
	Image   string    `json:"datastorage_image"`
	Results []Result  `json:"results"`
}

// Missed tells whether any target was missed.
func (r Report) Missed() bool {
	for _, result := range r.Results {
		if len(result.Missed) > 0 {
			return true
		}
	}
	return false
}

// Save writes the report as text and as JSON into the folder dir.
func (r Report) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create the folder of the report: %w", err)
	}
	encoded, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	for name, content := range map[string][]byte{
		"datastorage.json": append(encoded, '\n'), "datastorage.txt": []byte(r.Text()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return nil
}

// Text is the report for people.
func (r Report) Text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "step\tevents\tof these queued\tper second\tp50, ms\tp99, ms\tmemory at start, peak, end, MiB\ttarget\tverdict")
	for _, result := range r.Results {
		verdict := "met"
		if len(result.Missed) > 0 {
			verdict = "missed: " + strings.Join(result.Missed, "; ")
		} else if result.Target == "" {
			verdict = "-"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%.0f\t%.1f\t%.1f\t%.0f, %.0f, %.0f\t%s\t%s\n", result.Name, result.Events, result.Queued, result.PerSecond,
			result.P50, result.P99, result.Memory.Start, result.Memory.Peak, result.Memory.End, result.Target, verdict)
	}
	_ = w.Flush() // A strings.Builder takes everything.
	return b.String()
}
