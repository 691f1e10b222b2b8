package scaling

import (
	"errors"
	"fmt"

	"github.com/hybrid-e2e/hybrid/test/bench/speed"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// growth shows how what was measured grows with the number of services.
type growth struct{ speed.Comparison }

// side names what was measured with n services.
func side(n int) string { return fmt.Sprintf("%d services", n) }

// row is a line of the table.
type row struct {
	part, text string
	// most is the longest that the part may take with the largest number of services,
	// each what every further service may add; both in seconds, zero means no target.
	most, each float64
}

// rows are the parts with their targets, which hold for two processors. What Kubernetes
// does to start a pod takes about 0.6 s of a processor, and that is most of what a
// further service may add.
func rows() []row {
	return []row{
		{part: partBuild, text: "build, every service changed", each: 0.15},
		{part: partUnchanged, text: "build, nothing changed", most: 0.5},
		{part: partCluster, text: "cluster", each: 0.1},
		{part: partLoad, text: "load", each: 0.05},
		{part: partDeploy, text: "deploy until all answer", each: 0.4},
		{part: partWhole, text: "whole: all but the second build", each: 0.6},
		{part: partProcessors, text: "processor seconds of the whole"},
	}
}

// smallest and largest are the numbers of services between which growth is measured.
func smallest() int { return counts()[0] }
func largest() int  { return counts()[len(counts())-1] }

// each is what every further service adds to a part, in seconds.
func (g growth) each(part string) float64 {
	return (g.Median(side(largest()), part) - g.Median(side(smallest()), part)) / float64(largest()-smallest())
}

// times is how many times as long the largest number of services takes as the smallest.
func (g growth) times(part string) float64 {
	few := g.Median(side(smallest()), part)
	if few == 0 {
		return 0
	}
	return g.Median(side(largest()), part) / few
}

func (g growth) table() string {
	head := []string{"seconds, median (min–max)"}
	for _, n := range counts() {
		head = append(head, side(n))
	}
	cells := [][]string{append(head, "each further", "target")}
	for _, r := range rows() {
		line := []string{r.text}
		for _, n := range counts() {
			line = append(line, g.Figure(side(n), r.part))
		}
		cells = append(cells, append(line, fmt.Sprintf("%.3f", g.each(r.part)), r.target()))
	}
	return speed.Align(cells) + "\n" + g.conclusion() + "\n"
}

// mostWaiting is how much of what a further service adds may be anything but work of
// the processors, in seconds. Services that are asked or waited for one after the other
// show here, on a machine of any size and however busy it is with other things.
const mostWaiting = 0.1

// waiting is the part of what every further service adds to the whole that was not work
// which keeps all processors busy, in seconds; zero where that is not known.
func (g growth) waiting() float64 {
	if g.Median(side(largest()), partProcessors) == 0 {
		return 0
	}
	return max(0, g.each(partWhole)-g.each(partProcessors)/float64(g.Processors))
}

// conclusion compares the growth of the count with that of the time.
func (g growth) conclusion() string {
	return fmt.Sprintf("%d times the services take %.1f times as long. Each further one adds %.2f s, of which %.2f s is not work of the processors.",
		largest()/smallest(), g.times(partWhole), g.each(partWhole), g.waiting())
}

func (r row) target() string {
	switch {
	case r.most > 0:
		return fmt.Sprintf("≤ %g s with %d", r.most, largest())
	case r.each > 0:
		return fmt.Sprintf("≤ %g s each", r.each)
	}
	return ""
}

// missed tells which targets are not met.
func (g growth) missed() error {
	var errs []error
	for _, r := range rows() {
		if took := g.Median(side(largest()), r.part); r.most > 0 && took > r.most {
			errs = append(errs, fmt.Errorf("%w: %s takes %.2f s with %d services, wanted are %g", infrastructure.ErrMissed, r.text, took, largest(), r.most))
		}
		if adds := g.each(r.part); r.each > 0 && adds > r.each {
			errs = append(errs, fmt.Errorf("%w: each further service adds %.3f s to %s, wanted are %g", infrastructure.ErrMissed, adds, r.text, r.each))
		}
	}
	if waiting := g.waiting(); waiting > mostWaiting {
		errs = append(errs, fmt.Errorf("%w: of what each further service adds %.3f s is waiting, wanted are %g", infrastructure.ErrMissed, waiting, mostWaiting))
	}
	return errors.Join(errs...)
}
