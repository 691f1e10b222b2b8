package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Names of the loads.
const (
	LoadNew        = "new alerts"
	LoadDuplicates = "duplicates"
	LoadRefusals   = "refusals"
	LoadSoak       = "soak"
)

// Result is what was measured of one load.
type Result struct {
	Load string `json:"load"`
	// Offered is the rate at which requests were to be sent, per second.
	Offered int `json:"offered_per_second"`
	Tally
	Achieved float64 `json:"achieved_per_second"`
	Ratio    float64 `json:"success"`
	Audit    Audit   `json:"audit"`
	Objects  Objects `json:"objects"`
	Memory   Memory  `json:"gateway_memory_mib"`
	// Cores are the processors that each share kept busy on average.
	Cores map[string]float64 `json:"cores"`
	// Missed says in what the load falls short of its target; empty when it does
	// not.
	Missed []string `json:"missed"`
}

// Objects compares the signals that were accepted with those that the
// RemediationRequests in the cluster stand for.
type Objects struct {
	Accepted int `json:"accepted"`
	Counted  int `json:"counted"`
}

// Machine is where everything ran. Load is the mean number of tasks that wanted to run
// in the minute before the start: what others ran beside the cluster shows in it.
type Machine struct {
	Processors int     `json:"processors"`
	Load       float64 `json:"load"`
}

// Report is a whole measurement.
type Report struct {
	Run     string    `json:"run"`
	Started time.Time `json:"started"`
	Command string    `json:"command"`
	Image   string    `json:"gateway_image"`
	Machine Machine   `json:"machine"`
	// Problems is how many open requests the duplicates were about.
	Problems int      `json:"problems"`
	Results  []Result `json:"results"`
	Floors   []Floor  `json:"apiserver_alone,omitempty"`
	Soak     *Soak    `json:"soak,omitempty"`
}

// Missed tells whether any target was missed.
func (r Report) Missed() bool {
	for _, result := range r.Results {
		if len(result.Missed) > 0 {
			return true
		}
	}
	return r.Soak != nil && len(r.Soak.Missed) > 0
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
		"gateway.json": append(encoded, '\n'), "gateway.txt": []byte(r.Text()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return nil
}

// header says what was measured where.
func (r Report) header() string {
	return fmt.Sprintf("%s, %s, %s\n%d processors, load %.2f before the start; duplicates are about %d open requests\n",
		r.Command, r.Started.Format(time.RFC3339), r.Image, r.Machine.Processors, r.Machine.Load, r.Problems)
}

// Text is the report for people.
func (r Report) Text() string {
	text := r.header() + "\n" + table(r.Results)
	if len(r.Floors) > 0 {
		text += "\n" + floorTable(r.Floors)
	}
	if r.Soak != nil {
		text += "\n" + r.Soak.table()
	}
	return text
}
