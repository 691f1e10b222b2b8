package shard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// simulated are specs with times as suites have them: most take some tenths of a second, a
// few twenty times as long, and one in a hundred waits out an outage of some seconds.
func simulated(count int, seed uint64) ([]Spec, Times) {
	random := rand.New(rand.NewPCG(seed, seed))
	times := Times{Procs: 1, Seconds: map[string]float64{}}
	all := make([]Spec, count)
	for i := range all {
		all[i].Text = fmt.Sprintf("spec %04d", i)
		seconds := 0.6 * math.Exp(1.1*random.NormFloat64())
		if random.IntN(100) == 0 {
			seconds = 4 + 12*random.Float64()
		}
		times.Seconds[all[i].Text] = seconds
	}
	return all, times
}

// What 1,000 specs come to on 50 machines: by their times, and by their number alone.
func Example_simulation() {
	const machines = 50
	specs, times := simulated(1000, 1)
	units := Units(specs, times)
	bound, end := Bound(units, machines), makespan(Split(units, machines))
	even := makespan(weighed(Split(Units(specs, Times{}), machines), times))
	fmt.Printf("all specs %.1f s, the longest %.1f s: no split ends before %.1f s\n", Load(units).Seconds(), longest(units).Seconds(), bound.Seconds())
	fmt.Printf("by measured times: %.1f s, %.3f of the bound\n", end.Seconds(), float64(end)/float64(bound))
	fmt.Printf("by number:         %.1f s, %.3f of the bound\n", even.Seconds(), float64(even)/float64(bound))
	// Output:
	// all specs 1136.1 s, the longest 20.1 s: no split ends before 22.7 s
	// by measured times: 22.7 s, 1.001 of the bound
	// by number:         51.5 s, 2.267 of the bound
}

// weighed gives units that were split without times those.
func weighed(split [][]Unit, times Times) [][]Unit {
	for _, units := range split {
		for i, u := range units {
			units[i].Weight = time.Duration(times.Seconds[u.Texts[0]] * float64(time.Second))
		}
	}
	return split
}

func TestSimulatedShardsEndWithinFourThirdsOfTheBound(t *testing.T) {
	worst := 0.0
	for seed := range uint64(50) {
		specs, times := simulated(1000, seed)
		for _, n := range []int{2, 10, 50, 100} {
			units := Units(specs, times)
			ratio := float64(makespan(Split(units, n))) / float64(Bound(units, n))
			worst = max(worst, ratio)
			if ratio > 4.0/3 {
				t.Errorf("seed %d, %d shards: the end is %.3f of the bound", seed, n, ratio)
			}
		}
	}
	t.Logf("the worst of 200 splits ends at %.4f of the bound", worst)
}
