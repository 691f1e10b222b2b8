package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/hybrid-e2e/hybrid/hybrid/shard"
)

// SpecsName is the name of Ginkgo's report inside a run's folder, JUnitName that of the same
// for other programs.
const (
	SpecsName = "specs.json"
	JUnitName = "junit.xml"
)

// measuredRuns bounds the runs that are read for how long specs take.
const measuredRuns = 10

// Measured learns how long the specs of a suite take from the latest runs in a folder of
// artifacts, also those of a part of the specs: a spec takes the median of the last five
// times that it passed. What cannot be read is left out.
func Measured(artifacts, suite string) shard.Times {
	var t shard.Times
	seconds := map[string][]float64{}
	left := measuredRuns
	for run := range recent(artifacts, suite, "*-"+suite+"*") {
		if left--; left < 0 {
			break
		}
		all, err := Suites(filepath.Join(artifacts, run.Run, SpecsName))
		if err != nil {
			continue
		}
		for _, s := range all {
			if t.Procs == 0 {
				t.Procs = s.SuiteConfig.ParallelTotal
			}
			for _, spec := range s.SpecReports {
				text := text(s, spec)
				if isSpec(spec) && spec.State.Is(types.SpecStatePassed) && len(seconds[text]) < usualRuns {
					seconds[text] = append(seconds[text], spec.RunTime.Seconds())
				}
			}
		}
	}
	t.Seconds = make(map[string]float64, len(seconds))
	for text, all := range seconds {
		slices.Sort(all)
		t.Seconds[text] = all[len(all)/2]
	}
	return t
}

// Selected reads what ginkgo --dry-run reported: the specs that would run. Those of an
// ordered or serial container are in one group with all others of the outermost container,
// since the report does not tell which container it is.
func Selected(path string) ([]shard.Spec, error) {
	all, err := Suites(path)
	if err != nil {
		return nil, err
	}
	var specs []shard.Spec
	for _, suite := range all {
		for _, spec := range suite.SpecReports {
			if !isSpec(spec) || !spec.State.Is(types.SpecStatePassed) {
				continue
			}
			s := shard.Spec{Text: text(suite, spec), Serial: spec.IsSerial}
			if (spec.IsInOrderedContainer || spec.IsSerial) && len(spec.ContainerHierarchyLocations) > 0 {
				s.Group = spec.ContainerHierarchyTexts[0] + " at " + spec.ContainerHierarchyLocations[0].String()
			}
			specs = append(specs, s)
		}
	}
	return specs, nil
}

// Own takes from reports the specs that were skipped because another shard has them: all
// that were and whose texts are not among those of this one.
func Own(suites []types.Report, texts []string) []types.Report {
	own := map[string]bool{}
	for _, text := range texts {
		own[text] = true
	}
	kept := slices.Clone(suites)
	for i, suite := range kept {
		kept[i].SpecReports = slices.DeleteFunc(slices.Clone(suite.SpecReports), func(spec types.SpecReport) bool {
			return isSpec(spec) && spec.State.Is(types.SpecStateSkipped) && !own[text(suite, spec)]
		})
	}
	return kept
}

// text is what a spec is known by among those of all suites, and what ginkgo's --focus looks
// at.
func text(suite types.Report, spec types.SpecReport) string {
	return suite.SuiteDescription + " " + spec.FullText()
}

// Suites reads the JSON report that ginkgo wrote.
func Suites(path string) ([]types.Report, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []types.Report
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// isSpec tells specs from nodes such as BeforeSuite.
func isSpec(r types.SpecReport) bool { return r.LeafNodeType.Is(types.NodeTypeIt) }
