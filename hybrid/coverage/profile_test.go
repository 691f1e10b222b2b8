package coverage

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

const sampleProfile = `mode: atomic
example.com/shop/pkg/gateway/server/s.go:3.1,4.2 6 1
example.com/shop/pkg/gateway/g.go:10.20,12.2 3 7
example.com/shop/pkg/gateway/g.go:3.20,5.2 1 0
example.com/shop/pkg/gateway/g.go:3.20,5.2 1 2
example.com/shop/pkg/gatewayother/o.go:1.1,2.2 2 0
example.com/shop/cmd/gateway/main.go:1.1,2.2 4 1
example.com/shop/cmd/gateway/main.go:3.1,4.2 4 0
example.com/shop/api/v1/zz_generated.deepcopy.go:1.1,2.2 90 0
example.com/shop/api/v1/types.go:1.1,2.2 1 1
example.com/other/h.go:1.1,2.2 50 0
example.com/shopping/pkg/x.go:1.1,2.2 50 0
/src/pkg/gateway/g.go:1.1,2.2 50 0
`

const keptProfile = `mode: atomic
example.com/shop/api/v1/types.go:1.1,2.2 1 1
example.com/shop/cmd/gateway/main.go:1.1,2.2 4 1
example.com/shop/cmd/gateway/main.go:3.1,4.2 4 0
example.com/shop/pkg/gateway/g.go:3.20,5.2 1 2
example.com/shop/pkg/gateway/g.go:10.20,12.2 3 7
example.com/shop/pkg/gateway/server/s.go:3.1,4.2 6 1
example.com/shop/pkg/gatewayother/o.go:1.1,2.2 2 0
`

func samplePackages() []Package {
	return []Package{
		{"api/v1", Count{1, 1, 100}},
		{"cmd/gateway", Count{8, 4, 50}},
		{"pkg/gateway", Count{4, 4, 100}},
		{"pkg/gateway/server", Count{6, 6, 100}},
		{"pkg/gatewayother", Count{2, 0, 0}},
	}
}

// A service lies where its repository likes.
func TestEveryFolderOfTheModuleCounts(t *testing.T) {
	const text = "mode: set\nexample.com/shop/main.go:1.1,2.2 1 1\nexample.com/shop/internal/cart/c.go:1.1,2.2 2 1\n"
	p, err := parseProfile(strings.NewReader(text), "example.com/shop")
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{{".", Count{1, 1, 100}}, {"internal/cart", Count{2, 2, 100}}}
	if got := p.packages("example.com/shop"); !reflect.DeepEqual(got, want) {
		t.Errorf("packages %+v\nwant %+v", got, want)
	}
}

func TestParseProfileKeepsWhatCounts(t *testing.T) {
	p, err := parseProfile(strings.NewReader(sampleProfile), "example.com/shop")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.write(&b); err != nil || b.String() != keptProfile {
		t.Errorf("error %v, kept\n%s\nwant\n%s", err, b.String(), keptProfile)
	}
	if got := p.packages("example.com/shop"); !reflect.DeepEqual(got, samplePackages()) {
		t.Errorf("packages %+v\nwant %+v", got, samplePackages())
	}
}

func TestParseProfileRefusesDamage(t *testing.T) {
	for in, want := range map[string]string{
		"x":                                 "parse the coverage profile: bad mode line: x",
		"mode: set\na.go:1.1,2.2 1048577 1": "parse the coverage profile: a block of a.go claims 1048577 statements",
	} {
		if _, err := parseProfile(strings.NewReader(in), "m"); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// full is a writer that takes n writes.
type full struct{ n int }

func (f *full) Write(p []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

func TestWriteTellsOfAFullDisk(t *testing.T) {
	p, err := parseProfile(strings.NewReader(sampleProfile), "example.com/shop")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		if err := p.write(&full{n}); err == nil || err.Error() != "no space left" {
			t.Errorf("after %d writes: error %v", n, err)
		}
	}
}

func FuzzParseProfile(f *testing.F) {
	f.Add(sampleProfile)
	f.Add("mode: set\nm/pkg/a.go:1.1,2.2 0 0\n")
	f.Fuzz(func(t *testing.T, in string) {
		p, err := parseProfile(strings.NewReader(in), "m")
		if err != nil {
			return
		}
		packages := p.packages("m")
		for _, pkg := range packages {
			if pkg.Covered > pkg.Statements || pkg.Percent < 0 || pkg.Percent > 100 {
				t.Errorf("package %+v", pkg)
			}
		}
		if c := total(packages); c.Percent < 0 || c.Percent > 100 {
			t.Errorf("total %+v", c)
		}
	})
}

func TestFloors(t *testing.T) {
	floors := map[string]float64{"pkg/gateway": 100, "cmd/gateway": 50.1, "cmd": 50, "pkg/absent": 0, "pkg": 83.34}
	r := Result{Packages: samplePackages(), Floors: judge(samplePackages(), floors)}
	want := []Floor{
		{"cmd", 50, Count{8, 4, 50}, true},
		{"cmd/gateway", 50.1, Count{8, 4, 50}, false},
		{"pkg", 83.34, Count{12, 10, 100 * 10.0 / 12}, false},
		{"pkg/absent", 0, Count{0, 0, 100}, false},
		{"pkg/gateway", 100, Count{10, 10, 100}, true},
	}
	if !reflect.DeepEqual(r.Floors, want) {
		t.Errorf("floors %+v\nwant %+v", r.Floors, want)
	}
	text := "coverage is below its floor:\n" +
		"cmd/gateway: 50.0% of 8 statements, floor 50.1%\n" +
		"pkg: 83.3% of 12 statements, floor 83.3%\n" +
		"pkg/absent: no statement of it in the data, floor 0.0%"
	if err := r.violated(); err == nil || err.Error() != text {
		t.Errorf("error %v\nwant %s", err, text)
	}
	if err := (Result{Floors: want[:1]}).violated(); err != nil {
		t.Errorf("error %v, though every floor is met", err)
	}
}

func TestTable(t *testing.T) {
	r := Result{
		Packages: samplePackages()[1:3],
		Services: []Service{{"gateway", Count{12, 8, 200.0 / 3}}},
		Floors:   judge(samplePackages(), map[string]float64{"pkg/gateway": 70, "cmd/gateway": 65}),
		Total:    Count{12, 8, 200.0 / 3},
	}
	want := strings.Join([]string{
		"package            covered  of  percent",
		"cmd/gateway              4   8    50.0%",
		"pkg/gateway              4   4   100.0%",
		"service gateway          8  12    66.6%",
		"floor cmd/gateway        4   8    50.0%  at least 65.0%: BELOW",
		"floor pkg/gateway       10  10   100.0%  at least 70.0%: ok",
		"total                    8  12    66.6%",
		"",
	}, "\n")
	if got := r.Table(); got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
}

func TestPercentRoundsDown(t *testing.T) {
	for in, want := range map[float64]string{69.96: "69.9%", 70: "70.0%", 0.3: "0.3%", 100: "100.0%", 0: "0.0%"} {
		if got := percent(in); got != want {
			t.Errorf("percent(%v) is %q, want %q", in, got, want)
		}
	}
}
