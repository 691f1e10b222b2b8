package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// stages gives the order that a run promises: no task of a stage starts before
// every task of the stages above it has ended. Builds beside a running cluster
// starve its node of memory, and a build that fails should cost no cluster.
func stages() [][]string {
	return [][]string{
		{PhaseImages, PhaseBuild},
		{PhaseCluster},
		{PhaseLoad},
		{PhaseDeploy},
		{PhaseTest},
	}
}

// placed is a task with the phase it belongs to.
type placed struct {
	phase string
	Task
}

// CheckOrder proves from the recorded times that the phases ran one after the
// other. Phases that are absent are no violation. When the cluster was made anew, that
// holds before and after, and of shards for each with what was done for all. The error names, for each pair of stages out of order, the
// worst two tasks and their times.
func (t Timeline) CheckOrder() error {
	if len(t.Shards) > 0 {
		var errs []error
		for _, s := range t.Shards {
			errs = append(errs, t.of(s).CheckOrder())
		}
		return errors.Join(errs...)
	}
	if t.Rebuilt == 0 {
		return t.checkOrder()
	}
	return errors.Join(
		t.only(func(x Task) bool { return x.Start < t.Rebuilt }).checkOrder(),
		t.only(func(x Task) bool { return x.Start >= t.Rebuilt }).checkOrder(),
	)
}

// of is the timeline of one shard: its tasks, and those of none.
func (t Timeline) of(s Part) Timeline {
	one := t.only(func(x Task) bool {
		return !slices.ContainsFunc(t.Shards, func(other Part) bool { return other != s && strings.HasPrefix(x.Name, other.Name+" ") })
	})
	one.Shards, one.Rebuilt = nil, s.Rebuilt
	return one
}

// only is the timeline with some of its tasks.
func (t Timeline) only(wanted func(Task) bool) Timeline {
	phases := make([]Phase, len(t.Phases))
	for i, p := range t.Phases {
		phases[i] = Phase{Name: p.Name}
		for _, x := range p.Tasks {
			if wanted(x) {
				phases[i].Tasks = append(phases[i].Tasks, x)
			}
		}
	}
	t.Phases = phases
	return t
}

func (t Timeline) checkOrder() error {
	var errs []error
	order := stages()
	for i, later := range order {
		first, ok := t.pick(later, func(a, b Task) bool { return a.Start < b.Start })
		if !ok {
			continue
		}
		for _, earlier := range order[:i] {
			last, ok := t.pick(earlier, func(a, b Task) bool { return a.End > b.End })
			if ok && first.Start < last.End {
				errs = append(errs, fmt.Errorf("order: %s of phase %s started at %.3f s, before %s of phase %s ended at %.3f s",
					first.Name, first.phase, first.Start, last.Name, last.phase, last.End))
			}
		}
	}
	return errors.Join(errs...)
}

// pick finds the task of the named phases that is better than all others.
func (t Timeline) pick(phases []string, better func(a, b Task) bool) (best placed, found bool) {
	for _, p := range t.Phases {
		if !slices.Contains(phases, p.Name) {
			continue
		}
		for _, x := range p.Tasks {
			if !found || better(x, best.Task) {
				best, found = placed{phase: p.Name, Task: x}, true
			}
		}
	}
	return best, found
}
