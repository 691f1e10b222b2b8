package report

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// took is a run with one task.
func took(end float64, outcome task.Outcome) Timeline {
	return Timeline{Suite: "shop", Phases: []Phase{{Name: PhaseBuild, Tasks: []Task{{Name: "image.a", Start: 1, End: 1 + end, Outcome: outcome}}}}}
}

func TestUsual(t *testing.T) {
	const second = time.Second
	done := []Timeline{took(9, task.Done), took(1, task.Done), took(3, task.Done), took(4, task.Done), took(5, task.Done), took(100, task.Done), took(100, task.Done)}
	for name, c := range map[string]struct {
		runs []Timeline
		most int
		want time.Duration
	}{
		"none":                  {nil, 10, 0},
		"one":                   {done[:1], 10, 9 * second},
		"two, the longer":       {done[:2], 10, 9 * second},
		"three":                 {done[:3], 10, 3 * second},
		"the last five":         {done, 10, 4 * second},
		"bounded":               {done, 3, 3 * second},
		"only what was done":    {[]Timeline{took(0, task.Cached), took(2, task.Failed), took(2, task.Canceled), took(2, ""), took(7, task.Done)}, 10, 7 * second},
		"beyond what is read":   {[]Timeline{took(0, task.Cached), took(7, task.Done)}, 1, 0},
		"nothing but the cache": {[]Timeline{took(0, task.Cached)}, 10, 0},
	} {
		usual := UsualOf(slices.Values(c.runs), c.most)
		if got, known := usual(PhaseBuild, "image.a"); got != c.want || known != (c.want > 0) {
			t.Errorf("%s: %v, %v, want %v", name, got, known, c.want)
		}
		if got, known := usual(PhaseTest, "image.a"); known {
			t.Errorf("%s: in another phase %v is known", name, got)
		}
	}
}

func TestRecent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "artifacts [1]")
	for folder, suite := range map[string]string{"20261121-1-shop": "shop", "20261123-1-shop": "shop", "20261122-1-shop": "shop", "20261124-1-shop": "other-shop"} {
		if err := (Timeline{Run: folder, Suite: suite}).Save(filepath.Join(dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	broken := filepath.Join(dir, "20261122-2-shop")
	if err := os.Mkdir(broken, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, FileName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var runs []string
	for run := range Recent(dir, "shop") {
		runs = append(runs, run.Run)
	}
	if want := []string{"20261123-1-shop", "20261122-1-shop", "20261121-1-shop"}; !slices.Equal(runs, want) {
		t.Errorf("recent are %q, want %q", runs, want)
	}
	for run := range Recent(filepath.Join(dir, "none"), "shop") {
		t.Errorf("of nothing: %v", run)
	}
}
