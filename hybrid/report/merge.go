package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2/reporters"
	"github.com/onsi/ginkgo/v2/types"
)

// Ran are the texts of the specs that ran, with the description of the suite before each.
// One that Ginkgo skipped without a word did not: it was not selected, or the suite ended
// before its turn.
func Ran(suites []types.Report) []string {
	var texts []string
	for _, suite := range suites {
		for _, spec := range suite.SpecReports {
			if isSpec(spec) && happened(spec) {
				texts = append(texts, text(suite, spec))
			}
		}
	}
	return texts
}

func happened(spec types.SpecReport) bool {
	return spec.State.Is(types.SpecStatePassed|types.SpecStateFailureStates) || spec.NumAttempts > 0 || spec.Failure.Message != ""
}

// Merge makes one report of those of all shards. A spec that ran nowhere, since FOCUS or
// LABELS or a pending mark left it out, is in it once.
func Merge(shards [][]types.Report) []types.Report {
	var merged []types.Report
	for i, suites := range shards {
		for _, suite := range suites {
			at := slices.IndexFunc(merged, func(m types.Report) bool { return m.SuiteDescription == suite.SuiteDescription })
			if at < 0 {
				// How the first shard's specs were selected says nothing of all.
				suite.SuiteConfig.FocusStrings = nil
				merged = append(merged, suite)
				continue
			}
			if i > 0 {
				merged[at] = merged[at].Add(suite)
			}
		}
	}
	for i, suite := range merged {
		merged[i].SpecReports = once(suite)
		merged[i].PreRunStats = types.PreRunStats{}
		for _, spec := range merged[i].SpecReports {
			if isSpec(spec) {
				merged[i].PreRunStats.TotalSpecs++
			}
			if isSpec(spec) && happened(spec) {
				merged[i].PreRunStats.SpecsThatWillRun++
			}
		}
	}
	return merged
}

// once leaves out reports of specs that did not happen, if there is another one of the same
// text.
func once(suite types.Report) types.SpecReports {
	seen := map[string]bool{}
	for _, text := range Ran([]types.Report{suite}) {
		seen[text] = true
	}
	var kept types.SpecReports
	for _, spec := range suite.SpecReports {
		if isSpec(spec) && !happened(spec) {
			if seen[text(suite, spec)] {
				continue
			}
			seen[text(suite, spec)] = true
		}
		kept = append(kept, spec)
	}
	return kept
}

// WriteSuites writes the reports into a folder, as Ginkgo does, and as JUnit.
func WriteSuites(folder string, suites []types.Report) error {
	b, err := json.MarshalIndent(suites, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the results of the specs: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, SpecsName), append(b, '\n'), 0o644); err != nil {
		return err
	}
	// Ginkgo writes a file for each suite and then one of all; it removes the others.
	files := make([]string, len(suites))
	for i, suite := range suites {
		files[i] = filepath.Join(folder, fmt.Sprintf(".%d-%s", i, JUnitName))
		if err := reporters.GenerateJUnitReport(suite, files[i]); err != nil {
			return fmt.Errorf("write the results of the specs as JUnit: %w", err)
		}
	}
	_, err = reporters.MergeAndCleanupJUnitReports(files, filepath.Join(folder, JUnitName))
	return err
}

// Shard is the timeline of a shard.
type Shard struct {
	// Name is put before those of its tasks, such as "1/2".
	Name string
	Timeline
}

// Join adds the timelines of the shards of a run to that of what was done for all of them.
// When that came later, since reports were merged afterwards, it is no part of the run.
func (t Timeline) Join(shards ...Shard) Timeline {
	if len(shards) == 0 {
		return t
	}
	first := slices.MinFunc(shards, func(a, b Shard) int { return a.Started.Compare(b.Started) }).Started
	if t.Started.After(first) {
		t.Phases, t.Started, t.TotalSeconds = nil, first, 0
	}
	phases := make([]Phase, len(t.Phases))
	for i, p := range t.Phases {
		phases[i] = p
		phases[i].Tasks = slices.Clone(p.Tasks)
	}
	for _, s := range shards {
		offset := s.Started.Sub(t.Started)
		at := func(sec float64) float64 { return seconds(offset + time.Duration(sec*float64(time.Second))) }
		t.TotalSeconds = max(t.TotalSeconds, at(s.TotalSeconds))
		part := Part{Name: s.Name}
		if s.Rebuilt > 0 {
			part.Rebuilt = at(s.Rebuilt)
		}
		t.Shards = append(slices.Clip(t.Shards), part)
		if s.SetupSeconds > 0 {
			t.SetupSeconds = max(t.SetupSeconds, at(s.SetupSeconds))
		}
		t.ImageSource = cmp.Or(t.ImageSource, s.ImageSource)
		if len(t.StandIns) == 0 {
			t.StandIns = s.StandIns
		}
		for _, p := range s.Phases {
			moved := Phase{Name: p.Name, Start: at(p.Start), End: at(p.End)}
			for _, x := range p.Tasks {
				x.Name, x.Start, x.End = s.Name+" "+x.Name, at(x.Start), at(x.End)
				moved.Tasks = append(moved.Tasks, x)
			}
			phases = add(phases, moved)
		}
	}
	slices.SortStableFunc(phases, func(a, b Phase) int { return cmp.Compare(a.Start, b.Start) })
	t.Phases = phases
	if at := slices.IndexFunc(phases, func(p Phase) bool { return p.Name == PhaseTest }); at >= 0 {
		t.TestSeconds = seconds(time.Duration((phases[at].End - phases[at].Start) * float64(time.Second)))
	}
	return t
}

// add adds a phase to the one of its name, or as a new one.
func add(phases []Phase, more Phase) []Phase {
	at := slices.IndexFunc(phases, func(p Phase) bool { return p.Name == more.Name })
	if at < 0 {
		return append(phases, more)
	}
	p := &phases[at]
	p.Start, p.End, p.Tasks = min(p.Start, more.Start), max(p.End, more.End), append(p.Tasks, more.Tasks...)
	return phases
}
