package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// FileName is the name of the timeline inside a run's folder.
const FileName = "timeline.json"

// The phases of a run. The recorder takes any name; these are the ones whose
// order CheckOrder knows and from which the derived times are taken.
const (
	PhasePreflight = "preflight"
	PhaseImages    = "images"
	PhaseBuild     = "build"
	PhaseCluster   = "cluster"
	PhaseLoad      = "load"
	PhaseDeploy    = "deploy"
	PhaseTest      = "test"
	PhaseCoverage  = "coverage"
	PhaseTeardown  = "teardown"
)

// Result is how a run ended; empty while it still goes on.
type Result string

// The results of a run. Failed means that specs failed; Error means that the
// pipeline itself did.
const (
	Passed   Result = "passed"
	Failed   Result = "failed"
	Errored  Result = "error"
	Canceled Result = "canceled"
)

// Timeline says what a run did and when. Every time in it is in seconds since
// Started, rounded to the millisecond.
type Timeline struct {
	// Run is the run id; Suite the suite's name.
	Run    string `json:"run"`
	Suite  string `json:"suite"`
	Result Result `json:"result"`
	// Started is in UTC.
	Started time.Time `json:"started"`
	// SetupSeconds is when the last deploy phase ended: from nothing to a
	// cluster with everything ready. Zero when the run did not get there.
	SetupSeconds float64 `json:"setup_seconds"`
	// TestSeconds is the length of the test phase, zero when there was none.
	TestSeconds  float64 `json:"test_seconds"`
	TotalSeconds float64 `json:"total_seconds"`
	// ImageSource says where base images came from, such as "registry".
	ImageSource string `json:"image_source"`
	// Phases are in the order of their first start.
	Phases []Phase `json:"phases"`
	// StandIns names the images for which a local stand-in served.
	StandIns []string `json:"stand_ins,omitempty"`
	// Rebuilt is when the cluster was made anew because a node had failed, zero when it
	// was not, and RebuiltBecause why.
	Rebuilt        float64 `json:"rebuilt,omitzero"`
	RebuiltBecause string  `json:"rebuilt_because,omitempty"`
	// Shards are those whose timelines are in this one; none when it was one run.
	Shards []Part `json:"shards,omitempty"`
	// Error is the failure of the run, empty when there was none.
	Error string `json:"error,omitempty"`
}

// Part is a shard whose tasks are in a timeline, under names that begin with the shard's.
type Part struct {
	Name string `json:"name"`
	// Rebuilt is when its cluster was made anew, zero when it was not.
	Rebuilt float64 `json:"rebuilt,omitzero"`
}

// Phase is one phase of a run. A phase that was entered again, because the
// cluster had to be made anew, spans both times.
type Phase struct {
	Name  string  `json:"name"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
	Tasks []Task  `json:"tasks"`
}

// Task is one task of a phase. Outcome is empty only in a snapshot, for a task
// that still runs.
type Task struct {
	Name    string       `json:"name"`
	Start   float64      `json:"start"`
	End     float64      `json:"end"`
	Outcome task.Outcome `json:"outcome"`
	// Detail is a remark of one line: what was found in the cache, why it
	// failed. Often empty.
	Detail string `json:"detail"`
}

// Save writes the timeline into dir as timeline.json, which is created when it
// is missing. A reader sees the old file or the new one, never half of one.
func (t Timeline) Save(dir string) (err error) {
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the timeline: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create the folder of the timeline: %w", err)
	}
	f, err := os.CreateTemp(dir, "."+FileName+"-*")
	if err != nil {
		return fmt.Errorf("write the timeline: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write the timeline: %w", err)
		}
	}()
	_, err = f.Write(append(b, '\n'))
	// CreateTemp keeps its files private; a report is for everybody.
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, FileName))
}

// Load reads a timeline that Save wrote.
func Load(path string) (Timeline, error) {
	var t Timeline
	b, err := os.ReadFile(path)
	if err != nil {
		return t, fmt.Errorf("read the timeline: %w", err)
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("read the timeline in %s: %w", path, err)
	}
	return t, nil
}

// seconds turns d into seconds rounded to the millisecond.
func seconds(d time.Duration) float64 {
	return math.Round(d.Seconds()*1000) / 1000
}
