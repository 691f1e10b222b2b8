package cluster

import (
	"context"
	"errors"
	"net"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

func config() Config {
	return Config{Name: "a-e2e-00000000", NodeImage: "node:1", Workers: 1, CoverData: "/x/coverdata", Ports: []Port{{Name: "api", Node: 30080}}}
}

func TestNameDependsOnTheCheckout(t *testing.T) {
	a, b := Name("gateway", "/home/a/repo"), Name("gateway", "/home/b/repo")
	if a == b {
		t.Errorf("two checkouts share the name %s", a)
	}
	if len(a) != len("gateway-e2e-")+8 || !strings.HasPrefix(a, "gateway-e2e-") {
		t.Errorf("name %q", a)
	}
	if again := Name("gateway", "/home/a/repo"); again != a {
		t.Errorf("the name changed from %s to %s", a, again)
	}
}

func TestEqualIgnoresOnlyHostPorts(t *testing.T) {
	a, b := config(), config()
	b.Ports = []Port{{Name: "api", Node: 30080, Host: 41000}}
	if !a.equal(b) {
		t.Error("another host port makes another cluster")
	}
	for what, change := range map[string]func(*Config){
		"node image": func(c *Config) { c.NodeImage = "node:2" },
		"workers":    func(c *Config) { c.Workers = 2 },
		"ports":      func(c *Config) { c.Ports = []Port{{Name: "api", Node: 30081}} },
	} {
		changed := config()
		change(&changed)
		if a.equal(changed) {
			t.Errorf("%s does not count", what)
		}
		if got := difference(a, changed); !strings.HasPrefix(got, what+" ") {
			t.Errorf("difference %q, want it to name %s", got, what)
		}
	}
}

func TestKindConfig(t *testing.T) {
	c := config()
	c.Ports[0].Host = 41000
	got := kindConfig(c, false)
	wantNodes := []v1alpha4.Node{
		{
			Role: v1alpha4.ControlPlaneRole, Image: "node:1",
			ExtraMounts:       []v1alpha4.Mount{{HostPath: "/x/coverdata", ContainerPath: "/coverdata"}},
			ExtraPortMappings: []v1alpha4.PortMapping{{ContainerPort: 30080, HostPort: 41000, ListenAddress: "127.0.0.1", Protocol: "TCP"}},
		},
		{Role: v1alpha4.WorkerRole, Image: "node:1", ExtraMounts: []v1alpha4.Mount{{HostPath: "/x/coverdata", ContainerPath: "/coverdata"}}},
	}
	if !reflect.DeepEqual(got.Nodes, wantNodes) {
		t.Errorf("nodes\n%+v\nwant\n%+v", got.Nodes, wantNodes)
	}
	if got.Networking.KubeProxyMode != v1alpha4.IPTablesProxyMode || len(got.KubeadmConfigPatches) != 2 {
		t.Errorf("networking %+v, %d patches", got.Networking, len(got.KubeadmConfigPatches))
	}
	if v2 := kindConfig(c, true); len(v2.KubeadmConfigPatches) != 1 {
		t.Errorf("on cgroup v2 there are %d patches, want 1", len(v2.KubeadmConfigPatches))
	}
}

func TestPorts(t *testing.T) {
	ctx := t.Context()
	got, err := choosePorts(ctx, []Port{{Name: "a", Node: 30080}, {Name: "b", Node: 30081}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Host == 0 || got[1].Host == 0 || got[0].Host == got[1].Host {
		t.Errorf("ports %+v", got)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := int32(l.Addr().(*net.TCPAddr).Port)
	_, err = choosePorts(ctx, []Port{{Name: "a", Node: taken}}, true)
	if err == nil || !strings.Contains(err.Error(), "host port for endpoint a") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a taken port: %v", err)
	}
}

func TestWatchNamesTheNodeThatDied(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker wait a-e2e-00000000-control-plane": {Stdout: "137\n"},
		"docker inspect":        {Stdout: "exit code 137, OOMKilled true \n"},
		"docker logs --tail 10": {Stdout: "last words\n"},
	}}
	c := &Cluster{engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}, record: Record{Config: config()}}
	c.record.Config.Workers = 0
	ctx, stop := c.Watch(t.Context())
	defer stop()
	<-ctx.Done()
	var died *NodeDiedError
	if err := context.Cause(ctx); !NodeFailed(err) || NodeFailed(errors.New("x")) || !errors.As(err, &died) {
		t.Fatalf("cause %v", err)
	}
	if want := "node a-e2e-00000000-control-plane died: exit code 137, OOMKilled true\nlast words"; died.Error() != want {
		t.Errorf("error %q, want %q", died.Error(), want)
	}
}

// talkative says what its commands write, each of which goes on until it is told to end.
type talkative struct{ says map[string]string }

var since = regexp.MustCompile(`--since \d+\.\d{3}`)

func (r *talkative) Run(ctx context.Context, c command.Command) ([]byte, error) {
	line := since.ReplaceAllString(c.String(), "--since now")
	if text, ok := r.says[line]; ok {
		if _, err := c.Stdout.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestWatchNamesTheNodeThatIsPaused(t *testing.T) {
	for kind, line := range map[string]string{
		engine.Docker: "docker events --filter type=container --filter event=pause --format '{{.Actor.Attributes.name}}' --since now " +
			"--filter container=a-e2e-00000000-control-plane --filter container=a-e2e-00000000-worker",
		engine.Podman: "docker events --filter type=container --filter event=pause --format '{{.Name}}' --since now " +
			"--filter container=a-e2e-00000000-control-plane --filter container=a-e2e-00000000-worker",
	} {
		r := &talkative{map[string]string{line: "a-e2e-00000000-worker\n"}}
		c := &Cluster{engine: &engine.Engine{Kind: kind, CLI: "docker", Runner: r}, record: Record{Config: config()}}
		c.record.Config.Workers = 1
		ctx, stop := c.Watch(t.Context())
		<-ctx.Done()
		stop()
		var paused *NodePausedError
		if err := context.Cause(ctx); !NodeFailed(err) || !errors.As(err, &paused) || err.Error() != "node a-e2e-00000000-worker was paused" {
			t.Errorf("%s: cause %v", kind, err)
		}
	}
}

// endless runs commands that end only when they are told to, and take a moment then.
type endless struct{ running atomic.Int64 }

func (e *endless) Run(ctx context.Context, _ command.Command) ([]byte, error) {
	e.running.Add(1)
	defer e.running.Add(-1)
	<-ctx.Done()
	runtime.Gosched()
	return nil, ctx.Err()
}

func TestWatchLeavesNoProcess(t *testing.T) {
	r := &endless{}
	c := &Cluster{engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}, record: Record{Config: config()}}
	c.record.Config.Workers = 2
	for range 100 {
		_, stop := c.Watch(t.Context())
		stop()
		if left := r.running.Load(); left != 0 {
			t.Fatalf("%d processes are left", left)
		}
	}
}

func TestRunKindEndsWithItsContext(t *testing.T) {
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	forever := make(chan struct{})
	defer close(forever)
	cancel(stopped)
	if err := runKind(ctx, make(chan struct{}), func() error { <-forever; return nil }); !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
	ended := make(chan struct{})
	if err := runKind(t.Context(), ended, func() error { return stopped }); !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
	<-ended
}

func TestNodeNames(t *testing.T) {
	want := []string{"c-control-plane", "c-worker", "c-worker2"}
	for i, w := range want {
		if got := nodeName("c", i); got != w {
			t.Errorf("node %d is %q, want %q", i, got, w)
		}
	}
}
