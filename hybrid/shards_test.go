package hybrid

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/reporters"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/shard"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// aShard is a run of the second of two shards whose specs are to be divided.
func aShard(t *testing.T, r *command.Recorder, texts ...string) *Pipeline {
	t.Helper()
	p := &Pipeline{
		suite: Suite{Name: "shop"}, run: "r-2of2", dir: t.TempDir(), state: t.TempDir(),
		o:     Options{Root: "/src/shop", Artifacts: t.TempDir(), Focus: "shop", Labels: "quick", Shard: shard.Part{Number: 2, Of: 2}, Runner: r},
		plans: []image.Plan{{Spec: image.Spec{Name: "a"}, Ref: "hybrid.local/a:1"}},
	}
	var specs []types.SpecReport
	for _, text := range texts {
		specs = append(specs, types.SpecReport{LeafNodeType: types.NodeTypeIt, LeafNodeText: text, State: types.SpecStatePassed})
	}
	listed := types.Report{SuiteDescription: "Shop", SpecReports: specs}
	if err := reporters.GenerateJSONReport(listed, filepath.Join(p.state, "selected.json")); err != nil {
		t.Fatal(err)
	}
	return p
}

func divide(t *testing.T, p *Pipeline) error {
	t.Helper()
	tasks := p.dividing(p.o.Shard.Of, &[]string{"/state/shop.test"})
	if len(tasks) != 1 || !slices.Equal(tasks[0].Needs, []string{"specs.shop"}) {
		t.Fatalf("tasks %+v", tasks)
	}
	tasks[0].Needs = nil
	return task.Group{Phase: "build"}.Run(t.Context(), tasks...)
}

func TestAShardRunsItsSpecsAlone(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{"go tool ginkgo": {}, "git describe": {Stdout: "c0ffee\n"}}}
	p := aShard(t, r, "a", "b", "c (d)", "c (d)")
	if err := divide(t, p); err != nil {
		t.Fatal(err)
	}
	want := "go tool ginkgo run --no-color --dry-run --output-dir=" + p.state + " --json-report=selected.json --focus=shop --label-filter=quick /state/shop.test"
	if got := r.Calls()[0]; got != want {
		t.Errorf("command %s\nwant %s", got, want)
	}
	focus, err := p.focus()
	if want := []string{"--focus=^Shop a$", "--focus=^Shop b$", "--label-filter=quick"}; err != nil || !slices.Equal(focus, want) {
		t.Errorf("focus %q, %v, want %q", focus, err, want)
	}
	if got, want := p.division.detail(p.o.Shard), "shard 2/2: 2 of 4 specs, divided evenly, since no earlier run measured them"; got != want {
		t.Errorf("detail %q, want %q", got, want)
	}
	if err := p.recordShard(t.Context()); err != nil {
		t.Fatal(err)
	}
	record, err := shard.ReadRecord(p.dir)
	wantRecord := shard.Record{
		Run: "r-2of2", Suite: "shop", Part: p.o.Shard, Commit: "c0ffee", Images: map[string]string{"a": "hybrid.local/a:1"},
		Focus: "shop", Labels: "quick", All: []string{"Shop a", "Shop b", "Shop c (d)", "Shop c (d)"}, Specs: []string{"Shop a", "Shop b"},
	}
	if err != nil || fmt.Sprint(record) != fmt.Sprint(wantRecord) {
		t.Errorf("record %+v, %v, want %+v", record, err, wantRecord)
	}
}

func TestTimesThatAreHandedOverDecide(t *testing.T) {
	p := aShard(t, &command.Recorder{Replies: map[string]command.Reply{"": {}}}, "a", "b", "c")
	p.o.Root, p.o.ShardTimes = t.TempDir(), "times.json"
	write(t, filepath.Join(p.o.Root, "times.json"), `{"procs": 4, "seconds": {"Shop a": 8, "Shop b": 4, "Shop c": 3}}`)
	if err := divide(t, p); err != nil {
		t.Fatal(err)
	}
	if got, want := p.division.detail(p.o.Shard), "shard 2/2: 2 of 3 specs, divided by the times of 3; about 4 s"; got != want {
		t.Errorf("detail %q, want %q", got, want)
	}
	if got, want := p.division.detail(shard.Part{}), "3 specs in 2 shards, divided by the times of 3"; got != want {
		t.Errorf("detail %q, want %q", got, want)
	}
	write(t, filepath.Join(p.o.Root, "times.json"), "{")
	if err := divide(t, p); err == nil || !strings.Contains(err.Error(), "read how long specs take") {
		t.Errorf("error %v", err)
	}
}

func TestAShardWithoutSpecsIsRefused(t *testing.T) {
	p := aShard(t, &command.Recorder{Replies: map[string]command.Reply{"": {}}}, "a")
	if err := divide(t, p); err == nil || !strings.Contains(err.Error(), "1 specs that may run apart are too few for 2 shards") {
		t.Errorf("error %v", err)
	}
}

func TestSpecsThatNoCommandCanNameAreRefused(t *testing.T) {
	var texts []string
	for i := range 40 {
		texts = append(texts, fmt.Sprint(i)+strings.Repeat("x", 60_000))
	}
	p := aShard(t, &command.Recorder{Replies: map[string]command.Reply{"": {}}}, texts...)
	if err := divide(t, p); err != nil {
		t.Fatal(err)
	}
	if _, err := p.focus(); err == nil || !strings.Contains(err.Error(), "and a command takes 1048576") {
		t.Errorf("error %v", err)
	}
}

func TestAShardHasANameOfItsOwn(t *testing.T) {
	root, suite := repository(t)
	o := options(root, nil, anEngine())
	o.Out, o.Shard = nil, shard.Part{Number: 2, Of: 3}
	p, err := Open(t.Context(), suite, o)
	if err != nil {
		t.Fatal(err)
	}
	if p.run != "20261123-120000-shop-2of3" || p.state != filepath.Join(root, ".hybrid", "shop", "2of3") || p.clusterOf() != "shop-2of3" {
		t.Errorf("run %s, state %s, cluster of %s", p.run, p.state, p.clusterOf())
	}
	if _, err := os.Stat(p.dir); err != nil {
		t.Error(err)
	}
	if err := p.Close(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestAShardIsReadFromTheEnvironment(t *testing.T) {
	for text, want := range map[string]string{"2/3": "", "3/2": `SHARD: "3/2" is no shard: want i/n such as 2/5, i from 1 to n, n at most 999`} {
		o, err := OptionsFrom("/src", func(name string) string {
			return map[string]string{"SHARD": text, "SHARD_TIMES": "times.json"}[name]
		}, nil)
		if got := fmt.Sprint(err); (err == nil) != (want == "") || err != nil && got != want {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err == nil && (o.Shard != shard.Part{Number: 2, Of: 3} || o.ShardTimes != "times.json") {
			t.Errorf("options %+v", o)
		}
	}
}
