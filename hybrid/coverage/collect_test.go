package coverage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// tools stands for Go's tools: it remembers the calls and writes profile to the
// file that textfmt was told. A call that holds the text in fail fails.
type tools struct {
	profile, fail string
	calls         []string
	dirs          map[string]bool
}

func (x *tools) Run(_ context.Context, c command.Command) ([]byte, error) {
	x.calls = append(x.calls, c.String())
	if x.dirs == nil {
		x.dirs = map[string]bool{}
	}
	x.dirs[c.Dir] = true
	if x.fail != "" && strings.Contains(c.String(), x.fail) {
		return nil, &command.Error{Args: c.Args[:3], ExitCode: 1, Err: errors.New("exit status 1")}
	}
	if c.Args[3] == "textfmt" {
		return nil, os.WriteFile(strings.TrimPrefix(c.Args[5], "-o="), []byte(x.profile), 0o644)
	}
	return nil, nil
}

func sampleRun(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	o := Options{
		Raw: filepath.Join(dir, "raw"), Out: filepath.Join(dir, "out"), Module: "example.com/shop",
		ModuleRoot: dir, Sources: []Source{{"gateway", "1"}, {"datastorage", "2"}},
	}
	for _, s := range o.Sources {
		fill(t, filepath.Join(o.Raw, s.Folder()), "covmeta."+s.Service, "covcounters."+s.Service+".1.2")
	}
	return o
}

func TestCollectRunsTheTools(t *testing.T) {
	o := sampleRun(t)
	x := &tools{profile: sampleProfile}
	o.Floors = map[string]float64{"pkg": 80}
	r, err := Collect(t.Context(), x, o)
	if err != nil {
		t.Fatal(err)
	}
	out := o.Out
	want := []string{
		"go tool covdata textfmt -i=" + out + "/gateway -o=" + out + "/gateway.txt",
		"go tool covdata textfmt -i=" + out + "/datastorage -o=" + out + "/datastorage.txt",
		"go tool covdata merge -i=" + out + "/gateway," + out + "/datastorage -o=" + out + "/merged",
		"go tool covdata textfmt -i=" + out + "/merged -o=" + out + "/coverage.txt",
		"go tool cover -html=" + out + "/coverage.txt -o=" + out + "/coverage.html",
	}
	if !reflect.DeepEqual(x.calls, want) {
		t.Errorf("ran\n%s\nwant\n%s", strings.Join(x.calls, "\n"), strings.Join(want, "\n"))
	}
	if !reflect.DeepEqual(x.dirs, map[string]bool{o.ModuleRoot: true}) {
		t.Errorf("ran in %v, want the module's root", x.dirs)
	}
	all := Count{21, 15, 100 * 15.0 / 21}
	if want := (Result{
		Packages: samplePackages(), Services: []Service{{"gateway", all}, {"datastorage", all}},
		Floors: []Floor{{"pkg", 80, Count{12, 10, 100 * 10.0 / 12}, true}}, Total: all,
	}); !reflect.DeepEqual(r, want) {
		t.Errorf("result %+v\nwant   %+v", r, want)
	}
	if got := list(t, filepath.Join(out, "gateway")); !reflect.DeepEqual(got, []string{"covcounters.gateway.1.2", "covmeta.gateway"}) {
		t.Errorf("copied %v", got)
	}
	for _, name := range []string{"coverage.txt", "gateway.txt"} {
		if b, err := os.ReadFile(filepath.Join(out, name)); err != nil || string(b) != keptProfile {
			t.Errorf("%s: error %v\n%s", name, err, b)
		}
	}
}

func TestCollectGivesTheResultBesideAViolatedFloor(t *testing.T) {
	o := sampleRun(t)
	o.Floors = map[string]float64{"cmd/gateway": 65}
	r, err := Collect(t.Context(), &tools{profile: sampleProfile}, o)
	if want := "coverage is below its floor:\ncmd/gateway: 50.0% of 8 statements, floor 65.0%"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if next := fault.Next(err); next != "go tool cover -func="+o.Out+"/coverage.txt" {
		t.Errorf("next step %q", next)
	}
	if len(r.Packages) != 5 || r.Total.Statements != 21 {
		t.Errorf("result %+v", r)
	}
}

func TestCollectMergesParts(t *testing.T) {
	o := sampleRun(t)
	o.Sources = o.Sources[:1]
	o.Parts = []string{filepath.Join(o.Raw, "1of2"), filepath.Join(o.Raw, "2of2")}
	o.Raw = ""
	for i, part := range o.Parts {
		fill(t, filepath.Join(part, "gateway"), "covmeta.gateway", "covcounters.gateway.1."+strings.Repeat("2", i+1))
	}
	if _, err := Collect(t.Context(), &tools{profile: sampleProfile}, o); err != nil {
		t.Fatal(err)
	}
	if got, want := list(t, filepath.Join(o.Out, "gateway")), []string{"covcounters.gateway.1.2", "covcounters.gateway.1.22", "covmeta.gateway"}; !reflect.DeepEqual(got, want) {
		t.Errorf("copied %v, want %v", got, want)
	}
	fill(t, filepath.Join(o.Parts[0], "gateway"), "covcounters.gateway.1.22")
	if _, err := Collect(t.Context(), &tools{profile: sampleProfile}, o); err == nil || !strings.Contains(err.Error(), "coverage of gateway: covcounters.gateway.1.22 is in ") {
		t.Errorf("counters of one name: %v", err)
	}
	o.Parts = append(o.Parts, filepath.Join(t.TempDir(), "3of2"))
	if _, err := Collect(t.Context(), &tools{profile: sampleProfile}, o); err == nil || !strings.Contains(err.Error(), "coverage of gateway: its folder cannot be read") {
		t.Errorf("a part without data: %v", err)
	}
}

func TestCollectNamesEveryServiceThatDidNotDeliver(t *testing.T) {
	o := sampleRun(t)
	gateway, datastorage := filepath.Join(o.Raw, "gateway", "1"), filepath.Join(o.Raw, "datastorage", "2")
	if err := os.Remove(filepath.Join(gateway, "covcounters.gateway.1.2")); err != nil {
		t.Fatal(err)
	}
	if err := emptyFolder(datastorage); err != nil {
		t.Fatal(err)
	}
	x := &tools{profile: sampleProfile}
	_, err := Collect(t.Context(), x, o)
	if err == nil || !strings.Contains(err.Error(), "coverage of gateway: no covcounters file in "+gateway) ||
		!strings.Contains(err.Error(), "\ncoverage of datastorage: no covmeta file in "+datastorage) {
		t.Errorf("error %v", err)
	}
	if x.calls != nil {
		t.Errorf("ran %v on missing data", x.calls)
	}
}

func TestCollectSaysWhatFailed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options, *tools)
		want   string
	}{
		"no service":   {func(o *Options, _ *tools) { o.Sources = nil }, "collect coverage: no service is instrumented"},
		"bad name":     {func(o *Options, _ *tools) { o.Sources = []Source{{"../x", "1"}} }, `collect coverage: "../x" cannot be the folder of a service`},
		"taken name":   {func(o *Options, _ *tools) { o.Sources = []Source{{"merged", "1"}} }, `collect coverage: a service cannot be called "merged"`},
		"textfmt":      {func(_ *Options, x *tools) { x.fail = "gateway.txt" }, "coverage of gateway: go tool covdata: exit status 1"},
		"merge":        {func(_ *Options, x *tools) { x.fail = "merge " }, "merge coverage data: go tool covdata: exit status 1"},
		"merged":       {func(_ *Options, x *tools) { x.fail = "coverage.txt" }, "coverage of all services: go tool covdata: exit status 1"},
		"html":         {func(_ *Options, x *tools) { x.fail = "-html" }, "make the HTML of the coverage: go tool cover: exit status 1"},
		"other module": {func(o *Options, _ *tools) { o.Module = "m" }, "coverage of gateway: the data has no package of m"},
		"damage":       {func(_ *Options, x *tools) { x.profile = "x" }, "coverage of gateway: parse the coverage profile: bad mode line: x"},
	} {
		t.Run(name, func(t *testing.T) {
			o, x := sampleRun(t), &tools{profile: sampleProfile}
			c.change(&o, x)
			_, err := Collect(t.Context(), x, o)
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestCollectLeavesForeignFilesInItsOutput(t *testing.T) {
	for _, folder := range []string{"gateway", "merged"} {
		o := sampleRun(t)
		fill(t, filepath.Join(o.Out, folder), "notes")
		if _, err := Collect(t.Context(), &tools{profile: sampleProfile}, o); err == nil ||
			!strings.HasSuffix(err.Error(), "notes is no coverage data and will not be removed") {
			t.Errorf("%s: error %v", folder, err)
		}
	}
}

func TestCollectSaysHowToReadDataOfAnotherUser(t *testing.T) {
	o := sampleRun(t)
	// A file that is gone fails like one that may not be read, for root as well.
	c := &collector{Options: o}
	from := filepath.Join(o.Raw, "gateway", "1")
	err := c.copy(Source{"gateway", "1"}, map[string][]string{from: {"absent"}})
	if want := "coverage of gateway: copy its data: open " + from + "/absent: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if next := fault.Next(err); next != "sudo chmod -R a+rX "+from {
		t.Errorf("next step %q", next)
	}
}

const program = `package main

import "example.com/shop/pkg/greet"

func main() {
	println(greet.Hello(len("x") > 0))
}
`

const greet = `package greet

// Hello greets.
func Hello(warm bool) string {
	if warm {
		return "hello"
	}
	return "hm"
}
`

// TestCollectOfARealProgram builds an instrumented program, runs it twice as
// two services, and collects with Go's own tools.
func TestCollectOfARealProgram(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module example.com/shop\n\ngo 1.26\n", "cmd/shop/main.go": program, "pkg/greet/greet.go": greet,
		"cmd/shop/zz_generated.go": "package main\n\nfunc generated() int { return 1 }\n",
	} {
		path := filepath.Join(root, name)
		fill(t, filepath.Dir(path))
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, runner := t.Context(), command.Exec{}
	run := func(c command.Command) {
		t.Helper()
		if _, err := runner.Run(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(root, "shop")
	run(command.Command{
		Args: []string{"go", "build", "-cover", "-covermode=atomic", "-coverpkg=example.com/shop/...", "-o", binary, "./cmd/shop"},
		Dir:  root, Env: []string{"GOWORK=off", "GOFLAGS="},
	})
	o := Options{
		Raw: filepath.Join(root, "raw"), Out: filepath.Join(root, "out"), Module: "example.com/shop", ModuleRoot: root,
		Sources: []Source{{"first", "1"}, {"second", "1"}}, Floors: map[string]float64{"pkg/greet": 67},
	}
	if err := Prepare(o.Raw, o.Sources); err != nil {
		t.Fatal(err)
	}
	for _, s := range o.Sources {
		run(command.Command{Args: []string{binary}, Env: []string{"GOCOVERDIR=" + filepath.Join(o.Raw, s.Folder())}})
	}
	want := Result{
		Packages: []Package{{"cmd/shop", Count{1, 1, 100}}, {"pkg/greet", Count{3, 2, 200.0 / 3}}},
		Services: []Service{{"first", Count{4, 3, 75}}, {"second", Count{4, 3, 75}}},
		Floors:   []Floor{{"pkg/greet", 67, Count{3, 2, 200.0 / 3}, false}},
		Total:    Count{4, 3, 75},
	}
	// The second time everything is there already.
	for range 2 {
		r, err := Collect(ctx, runner, o)
		if text := "coverage is below its floor:\npkg/greet: 66.6% of 3 statements, floor 67.0%"; err == nil || err.Error() != text {
			t.Fatalf("error %v, want %s", err, text)
		}
		if !reflect.DeepEqual(r, want) {
			t.Errorf("result %+v\nwant   %+v", r, want)
		}
	}
	profile, err := os.ReadFile(filepath.Join(o.Out, ProfileName))
	if err != nil {
		t.Fatal(err)
	}
	if text := "mode: atomic\nexample.com/shop/cmd/shop/main.go:5.13,7.2 1 2\n" +
		"example.com/shop/pkg/greet/greet.go:4.30,5.10 1 2\n" +
		"example.com/shop/pkg/greet/greet.go:5.10,7.3 1 2\n" +
		"example.com/shop/pkg/greet/greet.go:8.2,8.13 1 0\n"; string(profile) != text {
		t.Errorf("profile\n%s\nwant\n%s", profile, text)
	}
	html, err := os.ReadFile(filepath.Join(o.Out, HTMLName))
	if err != nil || !strings.Contains(string(html), "example.com/shop/pkg/greet/greet.go (66.7%)") {
		t.Errorf("the HTML does not show the package; error %v", err)
	}
	// What Go itself says of the profile agrees.
	byFunction := command.Command{Args: []string{"go", "tool", "cover", "-func=" + filepath.Join(o.Out, ProfileName)}, Dir: root}
	if out, err := runner.Run(ctx, byFunction); err != nil || !strings.Contains(string(out), "75.0%") {
		t.Errorf("go tool cover says %s, error %v", out, err)
	}
}
