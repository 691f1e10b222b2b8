package coverage

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Count is how much of something is covered.
type Count struct {
	Statements int `json:"statements"`
	Covered    int `json:"covered"`
	// Percent is Covered of Statements, not rounded; 100 when there are none.
	Percent float64 `json:"percent"`
}

// Package is the coverage of one package.
type Package struct {
	// Path is relative to the module, such as "pkg/gateway/server".
	Path string `json:"path"`
	Count
}

// Service is what one service covered of the code that is built into it.
type Service struct {
	Name string `json:"name"`
	Count
}

// Floor is the least percentage that a path must reach, and what it reached.
type Floor struct {
	// Path stands for the package itself and all packages below it.
	Path string `json:"path"`
	// Floor is the least percentage.
	Floor float64 `json:"floor"`
	Count
	// Met says that the floor was reached. A path without any statement in the
	// data does not meet its floor: nobody imported it, or it was renamed.
	Met bool `json:"met"`
}

// Result is the coverage of a run.
type Result struct {
	// Packages are sorted by path; they count what any service covered.
	Packages []Package `json:"packages"`
	// Services are in the order in which they were asked for.
	Services []Service `json:"services"`
	// Floors are sorted by path.
	Floors []Floor `json:"floors"`
	// Total is over all packages, every statement weighing the same.
	Total Count `json:"total"`
}

// sum adds counts up and takes the percentage.
func sum(counts ...Count) Count {
	var s Count
	for _, c := range counts {
		s.Statements += c.Statements
		s.Covered += c.Covered
	}
	s.Percent = 100
	if s.Statements > 0 {
		s.Percent = 100 * float64(s.Covered) / float64(s.Statements)
	}
	return s
}

// total sums all packages.
func total(packages []Package) Count {
	counts := make([]Count, len(packages))
	for i, p := range packages {
		counts[i] = p.Count
	}
	return sum(counts...)
}

// below sums the packages at a path and below it.
func below(packages []Package, path string) Count {
	var counts []Count
	for _, p := range packages {
		if p.Path == path || strings.HasPrefix(p.Path, path+"/") {
			counts = append(counts, p.Count)
		}
	}
	return sum(counts...)
}

// judge holds packages against floors.
func judge(packages []Package, floors map[string]float64) []Floor {
	all := make([]Floor, 0, len(floors))
	for path, floor := range floors {
		c := below(packages, strings.Trim(path, "/"))
		all = append(all, Floor{Path: path, Floor: floor, Count: c, Met: c.Statements > 0 && c.Percent >= floor})
	}
	slices.SortFunc(all, func(a, b Floor) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// violated is the error that lists the floors which are not met, or nil.
func (r Result) violated() error {
	var lines []string
	for _, f := range r.Floors {
		switch {
		case f.Met:
		case f.Statements == 0:
			lines = append(lines, fmt.Sprintf("%s: no statement of it in the data, floor %s", f.Path, percent(f.Floor)))
		default:
			lines = append(lines, fmt.Sprintf("%s: %s of %d statements, floor %s", f.Path, percent(f.Percent), f.Statements, percent(f.Floor)))
		}
	}
	if lines == nil {
		return nil
	}
	return fmt.Errorf("coverage is below its floor:\n%s", strings.Join(lines, "\n"))
}

// Table is the result as text for a terminal, columns aligned.
func (r Result) Table() string {
	rows := [][]string{{"package", "covered", "of", "percent", ""}}
	add := func(name string, c Count, note string) {
		rows = append(rows, []string{name, fmt.Sprint(c.Covered), fmt.Sprint(c.Statements), percent(c.Percent), note})
	}
	for _, p := range r.Packages {
		add(p.Path, p.Count, "")
	}
	for _, s := range r.Services {
		add("service "+s.Name, s.Count, "")
	}
	for _, f := range r.Floors {
		verdict := "ok"
		if !f.Met {
			verdict = "BELOW"
		}
		add("floor "+f.Path, f.Count, "at least "+percent(f.Floor)+": "+verdict)
	}
	add("total", r.Total, "")
	return align(rows)
}

// align puts first and last columns to the left and the others to the right.
func align(rows [][]string) string {
	var width [5]int
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := fmt.Sprintf("%-*s  %*s  %*s  %*s  %s", width[0], row[0], width[1], row[1], width[2], row[2], width[3], row[3], row[4])
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// percent is a percentage with one decimal, rounded down: 69.96 must not be
// printed as the 70.0 that it misses.
func percent(p float64) string {
	return fmt.Sprintf("%.1f%%", math.Floor(p*10+1e-9)/10)
}
