package scaling

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/test/bench/speed"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// measured compares sides whose parts take a fixed time, and what each service adds.
func measured(t *testing.T, fixed, each speed.Parts) growth {
	t.Helper()
	var sides []speed.Side
	for _, n := range counts() {
		sides = append(sides, speed.Side{Name: side(n), Run: func(context.Context, io.Writer) (speed.Parts, error) {
			parts := speed.Parts{}
			for part, seconds := range fixed {
				parts[part] = seconds + float64(n)*each[part]
			}
			return parts, nil
		}})
	}
	c, err := speed.Compare(t.Context(), name, 1, io.Discard, io.Discard, sides...)
	if err != nil {
		t.Fatal(err)
	}
	c.Processors = 2
	return growth{c}
}

func fixed() speed.Parts {
	return speed.Parts{partBuild: 1, partUnchanged: 0.25, partCluster: 16, partLoad: 3, partDeploy: 4, partWhole: 24, partProcessors: 40}
}

func TestTableShowsWhatEachServiceAdds(t *testing.T) {
	g := measured(t, fixed(), speed.Parts{partBuild: 0.125, partLoad: 0.0625, partDeploy: 0.25, partWhole: 0.4375, partProcessors: 0.75})
	want := "seconds, median (min–max)        2 services           10 services          50 services          each further  target\n" +
		"build, every service changed     1.25 (1.25–1.25)     2.25 (2.25–2.25)     7.25 (7.25–7.25)     0.125         ≤ 0.15 s each\n" +
		"build, nothing changed           0.25 (0.25–0.25)     0.25 (0.25–0.25)     0.25 (0.25–0.25)     0.000         ≤ 0.5 s with 50\n" +
		"cluster                          16.00 (16.00–16.00)  16.00 (16.00–16.00)  16.00 (16.00–16.00)  0.000         ≤ 0.1 s each\n" +
		"load                             3.12 (3.12–3.12)     3.62 (3.62–3.62)     6.12 (6.12–6.12)     0.062         ≤ 0.05 s each\n" +
		"deploy until all answer          4.50 (4.50–4.50)     6.50 (6.50–6.50)     16.50 (16.50–16.50)  0.250         ≤ 0.4 s each\n" +
		"whole: all but the second build  24.88 (24.88–24.88)  28.38 (28.38–28.38)  45.88 (45.88–45.88)  0.438         ≤ 0.6 s each\n" +
		"processor seconds of the whole   41.50 (41.50–41.50)  47.50 (47.50–47.50)  77.50 (77.50–77.50)  0.750\n" +
		"\n25 times the services take 1.8 times as long. Each further one adds 0.44 s, of which 0.06 s is not work of the processors.\n"
	if got := g.table(); got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
	err := g.missed()
	if !errors.Is(err, infrastructure.ErrMissed) || err.Error() != "a target was missed: each further service adds 0.062 s to load, wanted are 0.05" {
		t.Errorf("error %v", err)
	}
}

func TestTargetsAreMissedByGrowthAndBySlowDecisions(t *testing.T) {
	if err := measured(t, fixed(), nil).missed(); err != nil {
		t.Errorf("nothing grows, and yet: %v", err)
	}
	for part, want := range map[string]string{
		partUnchanged: "a target was missed: build, nothing changed takes 50.25 s with 50 services, wanted are 0.5",
		partBuild:     "a target was missed: each further service adds 1.000 s to build, every service changed, wanted are 0.15",
		partCluster:   "a target was missed: each further service adds 1.000 s to cluster, wanted are 0.1",
		partDeploy:    "a target was missed: each further service adds 1.000 s to deploy until all answer, wanted are 0.4",
		partWhole:     "a target was missed: each further service adds 1.000 s to whole: all but the second build, wanted are 0.6",
	} {
		if err := measured(t, fixed(), speed.Parts{part: 1, partProcessors: 2}).missed(); err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", part, err, want)
		}
	}
	if err := measured(t, fixed(), speed.Parts{partProcessors: 9}).missed(); err != nil {
		t.Errorf("processor seconds are shown only: %v", err)
	}
}

func TestWaitingIsNoWork(t *testing.T) {
	err := measured(t, fixed(), speed.Parts{partWhole: 0.5, partProcessors: 0.5}).missed()
	if !errors.Is(err, infrastructure.ErrMissed) || err.Error() != "a target was missed: of what each further service adds 0.250 s is waiting, wanted are 0.1" {
		t.Errorf("error %v", err)
	}
	unknown := fixed()
	delete(unknown, partProcessors)
	if err := measured(t, unknown, speed.Parts{partWhole: 0.5}).missed(); err != nil {
		t.Errorf("it is not known how busy the processors were, and yet: %v", err)
	}
}

func TestChartIsDrawnToScale(t *testing.T) {
	g := measured(t, fixed(), speed.Parts{partDeploy: 0.5, partWhole: 0.5, partProcessors: 1})
	chart, err := g.chart()
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(chart, new(struct{})); err != nil {
		t.Fatalf("it is no XML: %v", err)
	}
	for _, want := range []string{
		// Of 24 s to 49 s: lines every 10 s, and 580 pixels for 50 s.
		`x1="100.0" x2="100.0"`, `x="216.0" y="202" text-anchor="middle">10 s</text>`, `x="680.0" y="202" text-anchor="middle">50 s</text>`,
		`<rect class="build" x="100.0" y="52" width="11.6" height="28"><title>build 1.0 s</title></rect>`,
		`<rect class="deploy" x="332.0" y="140" width="336.4" height="28"><title>deploy 29.0 s</title></rect>`,
		`>50 services</text>`, `<text x="676.4" y="159">49.0 s</text>`, `prefers-color-scheme: dark`,
		`25 times the services take 2.0 times as long.`, `BENCH_ROUNDS=1 mage bench:scaling`,
	} {
		if !strings.Contains(string(chart), want) {
			t.Errorf("the chart lacks %s:\n%s", want, chart)
		}
	}
	if strings.Contains(string(chart), "http://www.w3.org/1999/xlink") || strings.Contains(string(chart), "href") {
		t.Error("the chart needs something else")
	}
}

func TestTheMiddleRunIsDrawn(t *testing.T) {
	g := growth{speed.Comparison{Samples: map[string]map[string][]float64{
		side(2): {partWhole: {9, 5, 7}, partBuild: {1, 2, 3}}, side(10): {partWhole: {4, 3}, partBuild: {1, 2}},
	}}}
	if got := g.middle(2); got[partWhole] != 7 || got[partBuild] != 3 {
		t.Errorf("of three runs %v is drawn", got)
	}
	if got := g.middle(10); got[partWhole] != 3 || got[partBuild] != 2 {
		t.Errorf("of two runs %v is drawn", got)
	}
}

func TestTicksAreFew(t *testing.T) {
	for longest, want := range map[float64]float64{0: 1, 8: 1, 8.1: 2, 24: 5, 49: 10, 90: 20, 600: 100} {
		if got := tickStep(longest); got != want {
			t.Errorf("up to %g s there is a line every %g s, want %g", longest, got, want)
		}
	}
}

func TestTableSamplesAndChartAreKept(t *testing.T) {
	dir := t.TempDir()
	var out strings.Builder
	if err := finish(measured(t, fixed(), nil).Comparison, dir, &out); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"scaling.txt", "scaling.json", "scaling.svg"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	if !strings.Contains(out.String(), "BENCH_ROUNDS=1 mage bench:scaling") {
		t.Errorf("printed\n%s", out.String())
	}
}
