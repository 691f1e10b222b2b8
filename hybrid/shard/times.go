package shard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// TimesName is the name of the file with times in a run's folder.
const TimesName = "durations.json"

// Times is how long specs take. The zero value knows nothing: then each spec counts the
// same.
type Times struct {
	// Procs is how many processes ran the specs that were measured; zero counts as 1. It
	// stands here because all shards must weigh alike, whatever machine each is on.
	Procs int `json:"procs"`
	// Seconds are by the full text of a spec.
	Seconds map[string]float64 `json:"seconds"`
}

// ReadTimes reads a file that Save wrote. A file that is not there is no error: it is the
// zero value, since the first run of all has no times yet.
func ReadTimes(file string) (Times, error) {
	var t Times
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err == nil && t.Procs < 0 {
		err = fmt.Errorf("%s: %d processes", file, t.Procs)
	}
	if err != nil {
		return Times{}, fault.With(fmt.Errorf("read how long specs take: %w", err), "take the "+TimesName+" of another run, or unset SHARD_TIMES")
	}
	return t, nil
}

// Save writes the times into a folder. It writes nothing when nothing is known.
func (t Times) Save(folder string) error {
	if len(t.Seconds) == 0 {
		return nil
	}
	b, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, TimesName), append(b, '\n'), 0o644)
}

// weights weighs the specs: by its own time, a spec that was never measured by the median
// of those that were. A serial spec counts once for each process. Without any time at all
// each spec weighs a second.
func (t Times) weights(specs []Spec) func(Spec) time.Duration {
	own := func(s Spec) (time.Duration, bool) {
		seconds, known := t.Seconds[s.Text]
		// Below a millisecond a spec still costs something to start.
		return max(time.Duration(seconds*float64(time.Second)), time.Millisecond).Round(time.Millisecond), known
	}
	var known []time.Duration
	for _, s := range specs {
		if d, ok := own(s); ok {
			known = append(known, d)
		}
	}
	if len(known) == 0 {
		return func(Spec) time.Duration { return time.Second }
	}
	slices.Sort(known)
	median := known[len(known)/2]
	return func(s Spec) time.Duration {
		d, ok := own(s)
		if !ok {
			d = median
		}
		if s.Serial {
			d *= time.Duration(max(1, t.Procs))
		}
		return d
	}
}
