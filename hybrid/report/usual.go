package report

import (
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// usualRuns bounds the times that a median is taken of: older ones are of other code.
const usualRuns = 5

// Recent gives the timelines of a suite in a folder of artifacts, the latest first. What
// cannot be read is left out.
func Recent(artifacts, suite string) iter.Seq[Timeline] {
	return recent(artifacts, suite, "*-"+suite)
}

// recent is Recent for the folders whose name matches a pattern.
func recent(artifacts, suite, pattern string) iter.Seq[Timeline] {
	return func(yield func(Timeline) bool) {
		files, err := filepath.Glob(filepath.Join(escape(artifacts), pattern, FileName))
		if err != nil {
			return
		}
		slices.Sort(files) // The folders are named by time.
		for _, file := range slices.Backward(files) {
			if t, err := Load(file); err == nil && t.Suite == suite && !yield(t) {
				return
			}
		}
	}
}

// escape takes their meaning from characters that mean something in a pattern.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Usual tells how long a task of a phase takes; false when it is not known.
type Usual func(phase, name string) (time.Duration, bool)

// UsualOf learns from at most so many runs, the latest first: a task takes the median of
// the last five times that it did its work. Where it was cached, failed or was canceled
// counts for nothing.
func UsualOf(runs iter.Seq[Timeline], most int) Usual {
	type key struct{ phase, name string }
	times := map[key][]time.Duration{}
	for run := range runs {
		if most--; most < 0 {
			break
		}
		for _, p := range run.Phases {
			for _, t := range p.Tasks {
				k := key{p.Name, t.Name}
				if t.Outcome == task.Done && len(times[k]) < usualRuns {
					times[k] = append(times[k], time.Duration((t.End-t.Start)*float64(time.Second)))
				}
			}
		}
	}
	return func(phase, name string) (time.Duration, bool) {
		known := slices.Sorted(slices.Values(times[key{phase, name}]))
		if len(known) == 0 {
			return 0, false
		}
		return known[len(known)/2], true
	}
}
