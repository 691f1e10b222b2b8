package bench

import (
	"slices"
	"time"
)

// sample is what one process, or group of them, has used up to a moment.
type sample struct {
	at time.Time
	// cpu is the processor time since its start, in seconds; memory is in bytes.
	cpu, memory float64
}

// series are samples in the order of their times.
type series []sample

// add appends a sample unless it is the last one, seen once more.
func (s series) add(one sample) series {
	if len(s) > 0 && !one.at.After(s[len(s)-1].at) {
		return s
	}
	return append(s, one)
}

// between returns the samples from one moment to another, both included.
func (s series) between(from, to time.Time) series {
	var inside series
	for _, one := range s {
		if !one.at.Before(from) && !one.at.After(to) {
			inside = append(inside, one)
		}
	}
	return inside
}

// cores is how many processors were busy on average; 0 if there are too few samples
// to tell.
func (s series) cores() float64 {
	if len(s) < 2 {
		return 0
	}
	first, last := s[0], s[len(s)-1]
	return (last.cpu - first.cpu) / last.at.Sub(first.at).Seconds()
}

// Memory is resident memory in MiB.
type Memory struct {
	Start float64 `json:"start"`
	Peak  float64 `json:"peak"`
	End   float64 `json:"end"`
}

func (s series) memory() Memory {
	if len(s) == 0 {
		return Memory{}
	}
	peak := slices.MaxFunc(s, func(a, b sample) int { return int(a.memory - b.memory) })
	return Memory{Start: mib(s[0].memory), Peak: mib(peak.memory), End: mib(s[len(s)-1].memory)}
}

func mib(bytes float64) float64 { return bytes / (1 << 20) }

// median is the middle value, or the mean of the two in the middle; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
