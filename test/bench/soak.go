package bench

import (
	"context"
	"fmt"
	"time"
)

const (
	// warmUp is not compared: pools, caches and the heap grow to their size in it.
	warmUp = time.Minute
	// window is how long each of the two stretches is that are compared.
	window = 3 * time.Minute
	// maxGrowth is what memory may grow from the first window to the last one. A
	// collector that runs at twice the live heap moves the medians by some percent.
	maxGrowth = 0.10
)

// Soak is what was measured of the long mixed load.
type Soak struct {
	Result
	// Resident is all memory of the process, Heap the part that Go's heap uses.
	Resident Drift `json:"gateway_resident_mib"`
	Heap     Drift `json:"gateway_heap_mib"`
}

// Drift compares the medians, in MiB, of the window after the warm-up and of the last
// one.
type Drift struct {
	Early float64 `json:"early"`
	Late  float64 `json:"late"`
}

// growth is 0.1 where late is a tenth above early.
func (d Drift) growth() float64 {
	if d.Early == 0 {
		return 0
	}
	return d.Late/d.Early - 1
}

// drift picks one figure of the states and compares both windows.
func drift(states []gatewayState, from, to time.Time, pick func(gatewayState) float64) Drift {
	within := func(start time.Time) float64 {
		var values []float64
		for _, state := range states {
			if !state.at.Before(start) && state.at.Before(start.Add(window)) {
				values = append(values, mib(pick(state)))
			}
		}
		return median(values)
	}
	return Drift{Early: within(from.Add(warmUp)), Late: within(to.Add(-window))}
}

// soak sends the mixed load and compares the Gateway's memory at its two ends.
func (m *measurement) soak(ctx context.Context) error {
	l := load{LoadSoak, m.options.SoakRate, m.options.Soak, m.sender.mixed()}
	result, used, err := m.one(ctx, l)
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	s := &Soak{
		Result:   result,
		Resident: drift(used.states, used.from, used.to, func(s gatewayState) float64 { return s.memory }),
		Heap:     drift(used.states, used.from, used.to, func(s gatewayState) float64 { return s.heap }),
	}
	s.Missed = append(s.Missed, s.judge()...)
	m.report.Soak = s
	return nil
}

// judge says whether memory is flat.
func (s *Soak) judge() []string {
	if s.Resident.Early == 0 || s.Resident.Late == 0 {
		return []string{"the Gateway's memory was not seen in both windows"}
	}
	if growth := s.Resident.growth(); growth > maxGrowth {
		return []string{fmt.Sprintf("resident memory grew by %.1f %%, wanted at most %.0f %%", 100*growth, 100*maxGrowth)}
	}
	return nil
}

func (s *Soak) table() string {
	rows := [][]string{
		{
			"Gateway's memory, median", fmt.Sprintf("minutes %.0f to %.0f", warmUp.Minutes()+1, (warmUp + window).Minutes()),
			fmt.Sprintf("last %.0f minutes", window.Minutes()), "growth",
		},
	}
	for _, one := range []struct {
		name string
		Drift
	}{{"resident, MiB", s.Resident}, {"heap in use, MiB", s.Heap}} {
		rows = append(rows, []string{one.name, tenths(one.Early), tenths(one.Late), fmt.Sprintf("%+.1f %%", 100*one.growth())})
	}
	return table([]Result{s.Result}) + "\n" + align(rows)
}
