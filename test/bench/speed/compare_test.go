package speed

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

func sideOf(name string, seconds ...float64) Side {
	return Side{Name: name, Run: func(context.Context, io.Writer) (Parts, error) {
		if len(seconds) == 0 {
			return nil, errors.New("worn out")
		}
		next := seconds[0]
		seconds = seconds[1:]
		return Parts{"whole": next}, nil
	}}
}

func TestComparisonTakesTurnsAndShowsMedians(t *testing.T) {
	var log strings.Builder
	c, err := Compare(t.Context(), "x", 3, io.Discard, &log, sideOf("plain", 9, 40, 10), sideOf("ours", 2, 1, 5))
	if err != nil {
		t.Fatal(err)
	}
	if want := "== round 1, plain\n== round 1, ours\n== round 2, plain\n"; !strings.HasPrefix(log.String(), want) {
		t.Errorf("log %q", log.String())
	}
	rows := []Row{{Part: "whole", Target: 3, Ratio: 4}, {Part: "other"}}
	want := "seconds, median (min–max)  plain               ours              ratio  target\n" +
		"whole                      10.00 (9.00–40.00)  2.00 (1.00–5.00)  5.0×   ≤ 3 s; ≥ 4×\n" +
		"other                      -                   -\n"
	if got := c.Table(rows); got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
	if err := c.missed(rows); err != nil {
		t.Errorf("missed: %v", err)
	}
	err = c.missed([]Row{{Part: "whole", Target: 1, Ratio: 6}})
	if !errors.Is(err, infrastructure.ErrMissed) || err.Error() != "a target was missed: whole takes 2.00 s, wanted are 1\na target was missed: whole is 5.00 times faster than plain, wanted are 6" {
		t.Errorf("error %v", err)
	}
}

func TestComparisonJudgesAgainstOtherSides(t *testing.T) {
	c, err := Compare(t.Context(), "x", 1, io.Discard, io.Discard, sideOf("plain", 8), sideOf("clever, too", 3), sideOf("ours", 2))
	if err != nil {
		t.Fatal(err)
	}
	rows := []Row{{Part: "whole", Ratio: 4, Against: map[string]float64{"clever, too": 1.5}}, {Part: "other"}}
	want := "seconds, median (min–max)  plain             clever, too       ours              ratio  to clever, too  target\n" +
		"whole                      8.00 (8.00–8.00)  3.00 (3.00–3.00)  2.00 (2.00–2.00)  4.0×   1.5×            ≥ 4×; ≥ 1.5× to clever, too\n" +
		"other                      -                 -                 -\n"
	if got := c.Table(rows); got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
	if err := c.missed(rows); err != nil {
		t.Errorf("missed: %v", err)
	}
	err = c.missed([]Row{{Part: "whole", Ratio: 4, Against: map[string]float64{"clever, too": 2, "absent": 1}}})
	if !errors.Is(err, infrastructure.ErrMissed) || err.Error() != "a target was missed: whole is 0.00 times faster than absent, wanted are 1\na target was missed: whole is 1.50 times faster than clever, too, wanted are 2" {
		t.Errorf("error %v", err)
	}
}

func TestComparisonNamesTheSideThatFailed(t *testing.T) {
	_, err := Compare(t.Context(), "x", 2, io.Discard, io.Discard, sideOf("plain", 1, 1), sideOf("ours", 1))
	if err == nil || err.Error() != "round 2, ours: worn out" {
		t.Errorf("error %v", err)
	}
}

func TestComparisonIsKept(t *testing.T) {
	c, err := Compare(t.Context(), "x", 1, io.Discard, io.Discard, sideOf("plain", 2), sideOf("ours", 1))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.finish(t.TempDir(), []Row{{Part: "whole"}}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "BENCH_ROUNDS=1 mage bench:x") || !strings.Contains(out.String(), "2.0×") {
		t.Errorf("printed\n%s", out.String())
	}
	if err := c.finish(t.TempDir()+"/missing", nil, io.Discard); err == nil {
		t.Error("kept in a folder that does not exist")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		samples []float64
		want    float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 2}, 2}} {
		if got := median(c.samples); got != c.want {
			t.Errorf("median of %v is %g, want %g", c.samples, got, c.want)
		}
	}
}

func TestRounds(t *testing.T) {
	for text, want := range map[string]int{"": 5, "1": 1, "50": 50} {
		if got, err := Rounds(func(string) string { return text }, 5); err != nil || got != want {
			t.Errorf("%q gives %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "51", "many", "-1"} {
		if _, err := Rounds(func(string) string { return text }, 5); err == nil || !strings.Contains(err.Error(), "from 1 to 50") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
