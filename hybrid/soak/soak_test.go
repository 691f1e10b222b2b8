package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/report"
)

// runs is a Runner whose every call leaves the timeline of one run.
type runs struct {
	t *testing.T
	// results are those of the runs in order; the last one goes on.
	results []report.Result
	calls   []command.Command
}

func (r *runs) Run(_ context.Context, c command.Command) ([]byte, error) {
	n := len(r.calls)
	r.calls = append(r.calls, c)
	folder, _ := strings.CutPrefix(c.Env[0], "ARTIFACTS=")
	result := r.results[min(n, len(r.results)-1)]
	name := fmt.Sprintf("run-%d", n+1)
	timeline := report.Timeline{Run: name, Result: result, SetupSeconds: 40 + float64(n), TestSeconds: 70 - float64(n), TotalSeconds: 130}
	if err := errors.Join(timeline.Save(filepath.Join(folder, name)), ignoreAbsent(os.Remove(filepath.Join(folder, "latest"))), os.Symlink(name, filepath.Join(folder, "latest"))); err != nil {
		r.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c.Stdout, "output of %s\n", name); err != nil {
		r.t.Fatal(err)
	}
	switch result {
	case report.Passed:
		return nil, nil
	case report.Failed:
		return nil, &command.Error{Args: c.Args, ExitCode: 1, Err: errors.New("exit status 1")}
	}
	return nil, &command.Error{Args: c.Args, ExitCode: 3, Err: errors.New("exit status 3")}
}

func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func options(t *testing.T, r command.Runner, out *bytes.Buffer) Options {
	t.Helper()
	docker := &command.Recorder{Replies: map[string]command.Reply{"docker system df": {Stdout: "Images: 2GB\nVolumes: 5MB\n"}}}
	return Options{
		Runs: 3, Args: []string{"mage", "e2e:suite", "shop"}, Dir: "/src/shop", Suite: "shop", Folder: filepath.Join(t.TempDir(), "soak"), State: t.TempDir(),
		Runner: r, Engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: docker}, Out: out,
	}
}

func TestRepeat(t *testing.T) {
	r := &runs{t: t, results: []report.Result{report.Passed}}
	var out bytes.Buffer
	o := options(t, r, &out)
	got, err := Repeat(t.Context(), o)
	if err != nil || len(got.Runs) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := "run 1 of 3: passed, set-up 40.0 s, test 70.0 s, total 130.0 s, engine 2005 MB\n"
	if !strings.HasPrefix(out.String(), want) || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("output %q", out.String())
	}
	for _, c := range r.calls {
		if c.String() != "mage e2e:suite shop" || c.Dir != "/src/shop" || !slices.Equal(c.Env, []string{"ARTIFACTS=" + o.Folder}) || c.Grace != grace {
			t.Errorf("command %+v", c)
		}
	}
	table, err := os.ReadFile(filepath.Join(o.Folder, "soak.txt"))
	if err != nil || string(table) != got.Table() {
		t.Errorf("kept table\n%s\n%v", table, err)
	}
	log, err := os.ReadFile(filepath.Join(o.Folder, "run-2.log"))
	if err != nil || string(log) != "output of run-2\n" {
		t.Errorf("log %q, %v", log, err)
	}
	if _, err := os.Stat(filepath.Join(o.Folder, "soak.json")); err != nil {
		t.Error(err)
	}
}

func TestAFailureEndsTheSoakUnlessToldOtherwise(t *testing.T) {
	for _, c := range []struct {
		results   []report.Result
		keepGoing bool
		runs      int
		exitCode  int
		message   string
	}{
		{[]report.Result{report.Passed, report.Failed, report.Passed}, false, 2, 1, "run 2 failed: mage e2e:suite shop: exit status 1"},
		{[]report.Result{report.Passed, report.Failed, report.Passed}, true, 3, 1, "run 2 failed: mage e2e:suite shop: exit status 1"},
		{[]report.Result{report.Errored}, true, 3, 3, "run 1 failed: mage e2e:suite shop: exit status 3\nrun 2 failed: mage e2e:suite shop: exit status 3\nrun 3 failed: mage e2e:suite shop: exit status 3"},
	} {
		var out bytes.Buffer
		o := options(t, &runs{t: t, results: c.results}, &out)
		o.KeepGoing = c.keepGoing
		got, err := Repeat(t.Context(), o)
		var failed *FailedError
		if !errors.As(err, &failed) || failed.ExitCode != c.exitCode || err.Error() != c.message {
			t.Errorf("%v: error %v", c.results, err)
			continue
		}
		if len(got.Runs) != c.runs {
			t.Errorf("%v: %d runs, want %d", c.results, len(got.Runs), c.runs)
		}
		if want := filepath.Join(o.Folder, fmt.Sprintf("run-%d.log", failed.Run)); fault.Next(err) != "less "+want {
			t.Errorf("next %q", fault.Next(err))
		}
	}
}

// silent is a Runner whose calls succeed and leave nothing.
type silent struct{}

func (silent) Run(context.Context, command.Command) ([]byte, error) { return nil, nil }

func TestARunWithoutATimelineFailed(t *testing.T) {
	var out bytes.Buffer
	got, err := Repeat(t.Context(), options(t, silent{}, &out))
	if err == nil || !strings.HasPrefix(err.Error(), "run 1 failed: read the timeline: ") || got.Runs[0].Result != report.Errored {
		t.Errorf("%+v, %v", got, err)
	}
	// The timeline that is there is that of the run before.
	r := &runs{t: t, results: []report.Result{report.Passed}}
	o := options(t, r, &out)
	o.Runs = 1
	first, err := Repeat(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	run := Run{}
	if err := run.read(o.Folder, first); err == nil || err.Error() != "it left no timeline" {
		t.Errorf("error %v", err)
	}
}

func TestDiskUseThatGrowsFailsTheSoak(t *testing.T) {
	for name, c := range map[string]struct {
		df    func(run int) string
		fails string
	}{
		"flat":            {func(int) string { return "Images: 2GB" }, ""},
		"grows at first":  {func(n int) string { return fmt.Sprintf("Images: %d.5GB", min(n, 5)) }, ""},
		"shrinks":         {func(n int) string { return fmt.Sprintf("Images: %dGB", 20-n) }, ""},
		"grows all along": {func(n int) string { return fmt.Sprintf("Images: %dGB", 10+n) }, "disk use is not flat: it grew by 13.3 % after run 5"},
	} {
		var out bytes.Buffer
		r := &runs{t: t, results: []report.Result{report.Passed}}
		o := options(t, r, &out)
		o.Runs = 7
		docker := &command.Recorder{Replies: map[string]command.Reply{}}
		o.Engine.Runner = changing{docker, func() { docker.Replies["docker system df"] = command.Reply{Stdout: c.df(len(r.calls)) + "\n"} }}
		_, err := Repeat(t.Context(), o)
		if (c.fails == "") != (err == nil) || (err != nil && (err.Error() != c.fails || !errors.Is(err, ErrNotFlat))) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// changing changes its replies before each call.
type changing struct {
	*command.Recorder
	before func()
}

func (c changing) Run(ctx context.Context, x command.Command) ([]byte, error) {
	c.before()
	return c.Recorder.Run(ctx, x)
}

func TestTable(t *testing.T) {
	engine := int64(12_300_000_000)
	r := Report{Suite: "gateway", Wanted: 5, Runs: []Run{
		{Number: 1, Result: report.Passed, Setup: 30, Test: 70, Total: 130, State: 98e6, Artifacts: 1200e3, Engine: &engine},
		{Number: 2, Result: report.Failed, Setup: 31.25, Test: 10, Total: 60, State: 98e6, Artifacts: 300e3},
		{Number: 3, Result: report.Passed, Setup: 28, Test: 68, Total: 126, State: 98e6, Artifacts: 1200e3, Engine: &engine},
	}}
	want := `     run  result  set-up    test    total   engine  state  artifacts
       1  passed  30.0 s  70.0 s  130.0 s  12.3 GB  98 MB       1 MB
       2  failed  31.2 s  10.0 s   60.0 s  unknown  98 MB     300 kB
       3  passed  28.0 s  68.0 s  126.0 s  12.3 GB  98 MB       1 MB
     min          28.0 s  68.0 s  126.0 s                           
  median          29.0 s  69.0 s  128.0 s                           
     max          30.0 s  70.0 s  130.0 s                           
2 of 5 runs of gateway passed, 2 did not take place; whether disk use is flat shows after run 5
`
	if got := r.Table(); got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
	if got := (Report{Suite: "gateway", Wanted: 2}).Table(); !strings.HasSuffix(got, "\n0 of 2 runs of gateway passed, 2 did not take place; whether disk use is flat shows after run 5\n") {
		t.Errorf("table\n%s", got)
	}
	for range 3 {
		r.Runs = append(r.Runs, Run{Number: 4, Result: report.Passed, State: 98e6, Engine: &engine})
	}
	if got := r.Table(); !strings.HasSuffix(got, "; disk use is flat from run 5 on\n") {
		t.Errorf("table\n%s", got)
	}
	r.Runs[5].State = 101e6
	if got := r.Table(); !strings.HasSuffix(got, "; disk use is NOT flat: it grew by 3.1 % after run 5\n") {
		t.Errorf("table\n%s", got)
	}
}

// TestCtrlCShowsTheTableAndLetsTheRunStop runs a real process that needs a moment to
// stop.
func TestCtrlCShowsTheTableAndLetsTheRunStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	o := options(t, command.Exec{}, &out)
	script := `n=$(ls "$ARTIFACTS" | grep -c '^r[0-9]$'); r=r$((n + 1)); mkdir -p "$ARTIFACTS/$r"
printf '{"run":"%s","result":"passed","setup_seconds":1}' $r > "$ARTIFACTS/$r/timeline.json"; ln -sfn $r "$ARTIFACTS/latest"
[ $n = 0 ] && exit; trap 'kill $!; : > "$ARTIFACTS/stopped"; exit 3' TERM; : > "$ARTIFACTS/started"; sleep 60 & wait`
	o.Dir, o.Args = "", []string{"sh", "-c", script}
	if err := os.MkdirAll(o.Folder, 0o755); err != nil {
		t.Fatal(err)
	}
	started := filepath.Join(o.Folder, "started")
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		// Opening it for reading returns when the second run opens it for writing.
		if f, err := os.Open(started); err == nil {
			f.Close()
		}
		cancel()
	}()
	got, err := Repeat(ctx, o)
	if !errors.Is(err, context.Canceled) || len(got.Runs) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if want := got.Table() + "\nstopping run 2, which deletes its cluster even if this command ends before\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("output\n%s\nwant it to end in\n%s", out.String(), want)
	}
	if _, err := os.Stat(filepath.Join(o.Folder, "stopped")); err != nil {
		t.Errorf("the run was not left to stop: %v", err)
	}
	if kept, err := os.ReadFile(filepath.Join(o.Folder, "soak.txt")); err != nil || string(kept) != got.Table() {
		t.Errorf("kept table\n%s\n%v", kept, err)
	}
}
