package offline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// testMaker plans over a copy of the repository's docker folder, with an engine
// that a Recorder plays.
func testMaker(t *testing.T, replies map[string]command.Reply) (*maker, *command.Recorder) {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{baseFolder, nodeFolder} {
		if err := os.CopyFS(filepath.Join(root, dir), os.DirFS(filepath.Join(repo, dir))); err != nil {
			t.Fatal(err)
		}
	}
	r := &command.Recorder{Replies: replies}
	m := &maker{
		Options: Options{
			Root: root, Runner: r, Engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}, Work: t.TempDir(), Source: Local,
		},
		goroot: "/usr/local/go", goVersion: "go1.26.8", present: map[string]bool{},
		apt: aptSettings{sources: []string{"/etc/apt/debian.sources"}, options: []string{`Acquire::Retries "3"`}, content: []string{"Suites: bookworm"}},
	}
	if err := m.name(); err != nil {
		t.Fatal(err)
	}
	return m, r
}

func (m *maker) refs() map[string]string {
	return map[string]string{
		"debian": m.debian.ref, "ubi": m.ubi.ref, "go": m.goToolset.ref, "postgresql": m.postgresql.ref,
		"redis": m.redis.ref, "system": m.system.ref, "node": m.node.ref, "programs": m.programsKey,
	}
}

func TestReferencesFollowTheirInputs(t *testing.T) {
	appendTo := func(name string) func(*testing.T, *maker) {
		return func(t *testing.T, m *maker) {
			f, err := os.OpenFile(filepath.Join(m.Root, filepath.FromSlash(name)), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteString("# changed\n"); err != nil {
				t.Fatal(err)
			}
		}
	}
	everything := []string{"debian", "ubi", "go", "postgresql", "redis", "system", "node"}
	for _, c := range []struct {
		name   string
		change func(*testing.T, *maker)
		want   []string
	}{
		{"nothing", func(*testing.T, *maker) {}, nil},
		{"the hook", appendTo("docker/base/debian.sh"), everything},
		{"the mirror", func(_ *testing.T, m *maker) { m.apt.content = []string{"Suites: bookworm-updates"} }, everything},
		{"a stand-in package", appendTo("docker/base/stand-in.spec"), []string{"ubi", "go"}},
		{"redis", appendTo("docker/base/redis.Dockerfile"), []string{"redis"}},
		{"the node's packages", appendTo("docker/node/system.Dockerfile"), []string{"system", "node"}},
		{"a manifest of the node", appendTo("docker/node/files/kind/manifests/default-cni.yaml"), []string{"node"}},
		{"a program", appendTo("docker/node/kubernetes/main.go"), []string{"node", "programs"}},
		{"how programs are compiled", appendTo("docker/node/programs.Dockerfile"), []string{"node", "programs"}},
		{"the compiler", func(_ *testing.T, m *maker) { m.goVersion = "go1.26.9" }, []string{"go", "node", "programs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := testMaker(t, nil)
			before := m.refs()
			c.change(t, m)
			if err := m.name(); err != nil {
				t.Fatal(err)
			}
			var changed []string
			for name, ref := range m.refs() {
				if ref != before[name] {
					changed = append(changed, name)
				}
			}
			slices.Sort(changed)
			want := slices.Sorted(slices.Values(c.want))
			if !slices.Equal(changed, want) {
				t.Errorf("changed %q, want %q", changed, want)
			}
		})
	}
}

// outcomes remembers how each task ended.
type outcomes struct {
	task.Observers
	ended map[string]task.Outcome
}

func (o *outcomes) TaskEnded(e task.Event) { o.ended[e.Task] = e.Outcome }

func TestWhatThePresentImagesLeaveToDo(t *testing.T) {
	m, _ := testMaker(t, nil)
	all := []string{m.debian.ref, m.ubi.ref, m.goToolset.ref, m.postgresql.ref, m.redis.ref, m.system.ref, m.node.ref}
	for _, c := range []struct {
		name   string
		absent []string
		// needed are the images to make; the order is that of all.
		needed []string
	}{
		{"all present", nil, nil},
		{"what is only below was pruned", []string{m.debian.ref, m.system.ref}, nil},
		{"redis", []string{m.debian.ref, m.redis.ref}, []string{m.debian.ref, m.redis.ref}},
		{"the node", []string{m.system.ref, m.node.ref}, []string{m.system.ref, m.node.ref}},
		{"nothing present", all, all},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.present = map[string]bool{}
			for _, ref := range all {
				m.present[ref] = !slices.Contains(c.absent, ref)
			}
			var needed []string
			if m.debianNeeded() {
				needed = append(needed, m.debian.ref)
			}
			for _, s := range []standIn{m.ubi, m.goToolset, m.postgresql, m.redis, m.system, m.node} {
				if m.needed(s) {
					needed = append(needed, s.ref)
				}
			}
			if !slices.Equal(needed, c.needed) {
				t.Errorf("needed %q, want %q", needed, c.needed)
			}
		})
	}
}

func TestPresentImagesAreCached(t *testing.T) {
	m, r := testMaker(t, nil)
	answer := `[`
	for i, ref := range []string{m.debian.ref, m.ubi.ref, m.goToolset.ref, m.postgresql.ref, m.redis.ref, m.system.ref, m.node.ref} {
		if i > 0 {
			answer += ","
		}
		answer += `{"Id":"sha256:aa","RepoTags":["` + ref + `"]}`
	}
	r.Replies = map[string]command.Reply{"docker image inspect": {Stdout: answer + "]"}}
	var images Images
	tasks, last, err := m.plan(t.Context(), &images)
	if err != nil {
		t.Fatal(err)
	}
	if len(last) != 1 || last[0].Name != "node.image" {
		t.Errorf("last are %+v", last)
	}
	seen := &outcomes{ended: map[string]task.Outcome{}}
	if err := (task.Group{Phase: "images", Limit: 1, Observer: seen}).Run(t.Context(), append(tasks, last...)...); err != nil {
		t.Fatal(err)
	}
	for name, outcome := range seen.ended {
		if outcome != task.Cached {
			t.Errorf("%s ended as %s", name, outcome)
		}
	}
	if len(seen.ended) != 8 || len(r.Calls()) != 1 {
		t.Errorf("%d tasks and calls %q, want 8 and one inspection", len(seen.ended), r.Calls())
	}
	want := map[string]string{
		GoToolsetArg: m.goToolset.ref, UBIMinimalArg: m.ubi.ref, PostgreSQLArg: m.postgresql.ref, RedisArg: m.redis.ref,
	}
	if !reflect.DeepEqual(images.BuildArgs, want) || images.Node != m.node.ref || len(images.StandIns) != 5 {
		t.Errorf("images %+v", images)
	}
}

func TestBuildOfABase(t *testing.T) {
	m, r := testMaker(t, map[string]command.Reply{"docker build": {}})
	err := task.Group{Phase: "images"}.Run(t.Context(),
		task.Task{Name: "base.debian", Run: func(context.Context, *task.Handle) error { return nil }},
		m.buildTask("base.redis", m.redis, "base.debian"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"docker build --file " + m.Root + "/docker/base/redis.Dockerfile --tag " + m.redis.ref +
		" --progress plain --network host --build-arg DEBIAN_IMAGE=" + m.debian.ref +
		" --label io.hybrid.stand-in=" + Redis + " " + m.Root + "/docker/base"}
	if !reflect.DeepEqual(r.Calls(), want) {
		t.Errorf("calls\n%q\nwant\n%q", r.Calls(), want)
	}
}

func TestPulls(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect": {Err: errors.New("no such image")},
		"docker pull":          {},
	}}
	r.Replies["docker image inspect --format '{{.Id}}' "+Redis] = command.Reply{Stdout: "sha256:aa\n"}
	var images Images
	tasks, last, err := Tasks(t.Context(), Options{Source: Registry, Engine: &engine.Engine{CLI: "docker", Runner: r}}, &images)
	if err != nil {
		t.Fatal(err)
	}
	if len(last) != 1 || last[0].Name != "pull.node" {
		t.Errorf("last are %+v", last)
	}
	seen := &outcomes{ended: map[string]task.Outcome{}}
	if err := (task.Group{Phase: "images", Limit: 1, Observer: seen}).Run(t.Context(), append(tasks, last...)...); err != nil {
		t.Fatal(err)
	}
	var pulled []string
	for _, call := range r.Calls() {
		if ref, ok := strings.CutPrefix(call, "docker pull "); ok {
			pulled = append(pulled, ref)
		}
	}
	slices.Sort(pulled)
	want := []string{GoToolset, UBIMinimal, PostgreSQL, pinnedNode()}
	slices.Sort(want)
	if !slices.Equal(pulled, want) || seen.ended["pull.redis"] != task.Cached {
		t.Errorf("pulled %q, outcomes %v", pulled, seen.ended)
	}
	if images.Node != pinnedNode() || images.BuildArgs[RedisArg] != Redis || images.StandIns != nil {
		t.Errorf("images %+v", images)
	}
}
