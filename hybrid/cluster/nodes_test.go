package cluster

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

func TestAForeignClusterOfTheSameNameStays(t *testing.T) {
	u := newUser(t)
	r := u.record("a", "gateway", nil)
	u.runs(container{name: "gateway-e2e-a-control-plane", id: "foreign", cluster: "gateway-e2e-a", created: noon, host: "41000"})
	var out bytes.Buffer
	done, err := u.inventory("a").Down(t.Context(), false, &out)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes", say(done), []string{"gateway-e2e-a true kept, and expires in 1h00m"})
	same(t, "removed", u.removed(), nil)
	same(t, "files", u.left(r), nil)
	if want := "left alone: container gateway-e2e-a-control-plane (foreign) bears the name of cluster gateway-e2e-a but was not made for it\n"; out.String() != want {
		t.Errorf("output %q", out.String())
	}
}

// TestACreationThatWasCutShort has a record without ids.
func TestACreationThatWasCutShort(t *testing.T) {
	ours := container{name: "n", id: "1", cluster: "gateway-e2e-a", host: "41000", mount: "/a/coverdata", created: noon}
	for name, c := range map[string]struct {
		change  func(*container)
		removed []string
	}{
		"ours":                  {func(*container) {}, []string{"1"}},
		"made before the claim": {func(c *container) { c.created = noon.Add(-2 * time.Minute) }, nil},
		"another host port":     {func(c *container) { c.host = "41001" }, nil},
		"another folder":        {func(c *container) { c.mount = "/b/coverdata" }, nil},
	} {
		u := newUser(t)
		u.record("a", "gateway", func(r *Record) {
			r.Nodes, r.Ready, r.Started, r.Config.CoverData = nil, false, noon.Add(-time.Minute), "/a/coverdata"
		})
		there := ours
		c.change(&there)
		u.runs(there)
		done, err := u.inventory("a").Reap(t.Context(), t.Output())
		if err != nil || len(done) != 1 {
			t.Errorf("%s: %v, %v", name, done, err)
		}
		same(t, name, u.removed(), c.removed)
	}
}

// TestDeleteOutlastsTheCreation has a container appear after the others were deleted.
func TestDeleteOutlastsTheCreation(t *testing.T) {
	u := newUser(t)
	r := u.record("a", "gateway", func(r *Record) { r.Nodes, r.Ready, r.Started = nil, false, noon.Add(-time.Minute) })
	creating := make(chan struct{})
	late := &latecomer{Recorder: u.docker, appear: func() {
		u.runs(container{name: "n", id: "late", cluster: r.Config.Name, host: "41000", created: noon})
		close(creating)
	}}
	u.docker.Replies["docker ps --all --quiet --no-trunc --filter label="+clusterLabel+"="+r.Config.Name] = command.Reply{}
	e := &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: late}
	if err := remove(t.Context(), e, r, u.leases, creating, t.Output()); err != nil {
		t.Fatal(err)
	}
	same(t, "removed", u.removed(), []string{"late"})
	same(t, "files", u.left(r), nil)
}

// latecomer runs appear after its first call.
type latecomer struct {
	*command.Recorder
	appear func()
}

func (l *latecomer) Run(ctx context.Context, c command.Command) ([]byte, error) {
	out, err := l.Recorder.Run(ctx, c)
	if l.appear != nil {
		l.appear()
		l.appear = nil
	}
	return out, err
}

// TestPodmansVolumesGo has a cluster whose second node was not made any more when its volume
// was.
func TestPodmansVolumesGo(t *testing.T) {
	r := Record{Config: Config{Name: "c", Workers: 1}, Nodes: []Node{{"c-control-plane", "1"}}}
	recorder := &command.Recorder{Replies: map[string]command.Reply{
		"podman ps":                  {Stdout: "1\n"},
		"podman container inspect 1": {Stdout: `[{"Id":"1","Name":"c-control-plane"}]`},
		"podman rm":                  {},
		"podman volume ls --quiet --filter label=c-control-plane ": {},
		"podman volume ls --quiet --filter label=c-worker ":        {Stdout: "v\n"},
		"podman volume rm v": {},
	}}
	e := &engine.Engine{Kind: engine.Podman, CLI: "podman", Runner: recorder}
	if err := removeNodes(t.Context(), e, r, t.Output()); err != nil {
		t.Fatal(err)
	}
	same(t, "calls", recorder.Calls(), []string{
		"podman ps --all --quiet --no-trunc --filter label=" + clusterLabel + "=c", "podman container inspect 1",
		"podman rm --force --volumes --time 0 --ignore 1",
		"podman volume ls --quiet --filter label=c-control-plane --filter dangling=true",
		"podman volume ls --quiet --filter label=c-worker --filter dangling=true", "podman volume rm v",
	})
}
