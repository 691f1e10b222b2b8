package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"regexp"
	goruntime "runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kinderrors "sigs.k8s.io/kind/pkg/errors"
	kindexec "sigs.k8s.io/kind/pkg/exec"

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
	b.Ports, b.APIServer = []Port{{Name: "api", Node: 30080, Host: 41000}}, 42000
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
	c.Ports[0].Host, c.APIServer = 41000, 42000
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
	if got.Networking.KubeProxyMode != v1alpha4.IPTablesProxyMode || got.Networking.APIServerPort != 42000 || len(got.KubeadmConfigPatches) != 4 {
		t.Errorf("networking %+v, %d patches", got.Networking, len(got.KubeadmConfigPatches))
	}
	if v2 := kindConfig(c, true); len(v2.KubeadmConfigPatches) != 3 {
		t.Errorf("on cgroup v2 there are %d patches, want 3", len(v2.KubeadmConfigPatches))
	}
	c.Workers = 0
	if one := kindConfig(c, true); len(one.KubeadmConfigPatches) != 4 || one.KubeadmConfigPatches[3] != onlyNodePatch {
		t.Errorf("an only node has the patches %q", one.KubeadmConfigPatches)
	}
}

func TestPorts(t *testing.T) {
	ctx := t.Context()
	got, apiServer, err := choosePorts(ctx, []Port{{Name: "a", Node: 30080}, {Name: "b", Node: 30081}}, false)
	if err != nil {
		t.Fatal(err)
	}
	drawn := []int32{got[0].Host, got[1].Host, apiServer}
	slices.Sort(drawn)
	if drawn[0] == 0 || len(slices.Compact(drawn)) != 3 {
		t.Errorf("ports %+v, and %d for the API server", got, apiServer)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := int32(l.Addr().(*net.TCPAddr).Port)
	_, _, err = choosePorts(ctx, []Port{{Name: "a", Node: taken}}, true)
	if err == nil || !strings.Contains(err.Error(), "host port for endpoint a") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a taken port: %v", err)
	}
}

func TestPortTaken(t *testing.T) {
	for text, want := range map[string]bool{
		"Bind for 127.0.0.1:33807 failed: port is already allocated": true,
		"listen tcp4 127.0.0.1:33807: bind: address already in use":  true,
		"no space left on device":                                    false,
	} {
		if got := portTaken(errors.New(text)); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	if portTaken(nil) {
		t.Error("no error is one")
	}
}

// talkative says what its commands write, each of which goes on until it is told to end.
type talkative struct{ says map[string]string }

var since = regexp.MustCompile(`--since -?\d+\.\d{3}`)

func (r *talkative) Run(ctx context.Context, c command.Command) ([]byte, error) {
	line := since.ReplaceAllString(c.String(), "--since now")
	text, ok := r.says[line]
	if !ok {
		return nil, fmt.Errorf("nothing is said to %s", line)
	}
	if c.Stdout == nil {
		return []byte(text), nil
	}
	for i := range text { // In parts, as a pipe may give it.
		if _, err := c.Stdout.Write([]byte(text[i : i+1])); err != nil {
			return nil, err
		}
	}
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// events are what an engine of the kind is asked, after its name.
func events(kind string) string {
	died, format := "die", "'{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}'"
	if kind == engine.Podman {
		died, format = "died", "'{{.Status}} {{.Name}} {{.ContainerExitCode}}'"
	}
	return "x events --since now --filter type=container --filter event=" + died + " --filter event=pause " +
		"--filter label=io.x-k8s.kind.cluster=a-e2e-00000000 --format " + format
}

func TestWatchNamesTheNodeThatFailed(t *testing.T) {
	const node = "a-e2e-00000000-worker"
	for _, c := range []struct{ kind, event, want string }{
		{engine.Docker, "die " + node + " 137", "node " + node + " died: exit code 137, OOMKilled true\nlast words"},
		{engine.Podman, "died " + node + " 137", "node " + node + " died: exit code 137, OOMKilled true\nlast words"},
		{engine.Docker, "pause " + node + " ", "node " + node + " was paused"},
		{engine.Podman, "pause " + node + " 0", "node " + node + " was paused"},
	} {
		r := &talkative{map[string]string{
			events(c.kind): c.event + "\n", "x logs --tail 10 " + node: "last words\n",
			"x inspect --format '{{.State.ExitCode}} OOMKilled {{.State.OOMKilled}} {{.State.Error}}' " + node: "9 OOMKilled true \n",
		}}
		watched := &Cluster{engine: &engine.Engine{Kind: c.kind, CLI: "x", Runner: r}, record: Record{Config: config()}}
		ctx, stop := watched.Watch(t.Context())
		<-ctx.Done()
		stop()
		if err := context.Cause(ctx); !NodeFailed(err) || !Lost(err) || err.Error() != c.want {
			t.Errorf("%s, %s: cause %v", c.kind, c.event, err)
		}
	}
	for err, want := range map[error]bool{
		&NodeDiedError{Node: "a-control-plane"}: true, &NodePausedError{"a-control-plane"}: true, &engine.LostError{}: true,
		&NodeDiedError{Node: "a-worker"}: false, &NodePausedError{"a-worker"}: false, &NodeNotReadyError{"a-control-plane", ""}: false,
	} {
		if Mute(fmt.Errorf("x: %w", err)) != want {
			t.Errorf("%T: the API server is mute: %t", err, !want)
		}
	}
	if other := errors.New("other"); NodeFailed(other) || Lost(other) || NodeFailed(nil) || Lost(nil) {
		t.Error("any error is one of a node")
	}
}

func TestWatchTellsThatTheEngineIsGone(t *testing.T) {
	gone := "Cannot connect to the Docker daemon"
	c := &Cluster{engine: &engine.Engine{Kind: engine.Docker, CLI: "x", Runner: &command.Recorder{Replies: map[string]command.Reply{
		"x events": {Err: errors.New(gone)},
	}}}, record: Record{Config: config()}}
	ctx, stop := c.Watch(t.Context())
	<-ctx.Done()
	stop()
	err := context.Cause(ctx)
	if NodeFailed(err) || !Lost(err) || !strings.HasPrefix(err.Error(), "the container engine stopped answering: ") || !strings.HasSuffix(err.Error(), gone) {
		t.Errorf("cause %v", err)
	}
}

func TestFailedLooksAtTheNodes(t *testing.T) {
	const list = "x ps --all --quiet --no-trunc --filter label=io.x-k8s.kind.cluster=a-e2e-00000000"
	for status, want := range map[string]string{
		"running": "", "paused": "node n was paused", "exited": "node n died: exit code 9, OOMKilled false",
	} {
		r := &talkative{map[string]string{
			list: "1\n", "x container inspect 1": `[{"Id":"1","Name":"/n","State":{"Status":"` + status + `"}}]`,
			"x inspect --format '{{.State.ExitCode}} OOMKilled {{.State.OOMKilled}} {{.State.Error}}' n": "9 OOMKilled false\n",
		}}
		c := &Cluster{engine: &engine.Engine{Kind: engine.Docker, CLI: "x", Runner: r}, record: Record{Config: config()}}
		if err := c.Failed(t.Context(), nil); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: error %v, want %q", status, err, want)
		}
	}
	// A command fails in a node before the engine tells of the node's end.
	late := &talkative{map[string]string{
		events(engine.Docker): "die n 137\n", list: "1\n", "x container inspect 1": `[{"Id":"1","Name":"/n","State":{"Status":"running"}}]`,
	}}
	c := &Cluster{engine: &engine.Engine{Kind: engine.Docker, CLI: "x", Runner: late}, record: Record{Config: config()}}
	for _, err := range []error{&command.Error{}, fmt.Errorf("create: %w", kinderrors.Wrap(&kindexec.RunError{}, "init"))} {
		if err := c.Failed(t.Context(), err); err == nil || err.Error() != "node n died: exit code 137" {
			t.Errorf("told late: %v", err)
		}
	}
	c.engine.Runner = &talkative{}
	if err := c.Failed(t.Context(), nil); NodeFailed(err) || !Lost(err) {
		t.Errorf("without an engine: %v", err)
	}
}

// plainListWatch cannot do more than list and watch.
type plainListWatch struct{ cache.ListWatch }

func (*plainListWatch) IsWatchListSemanticsUnSupported() bool { return true }

// nodesSaying lists one node, and gives its later states one after the other.
func nodesSaying(states <-chan corev1.ConditionStatus) cache.ListerWatcher {
	node := func(version string, s corev1.ConditionStatus) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "n", ResourceVersion: version},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: s, Reason: "R"}}},
		}
	}
	return &plainListWatch{cache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			return &corev1.NodeList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []corev1.Node{*node("1", corev1.ConditionFalse)}}, nil
		},
		WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			w := watch.NewFake()
			go func() {
				for s := range states {
					w.Modify(node("2", s))
				}
			}()
			return w, nil
		},
	}}
}

func TestNodesThatStayNotReadyEndTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ready, unknown = corev1.ConditionTrue, corev1.ConditionUnknown
		states := make(chan corev1.ConditionStatus)
		began := time.Now()
		go func() {
			// Not ready before it ever was, ready, not ready for a moment, ready, not ready.
			for _, s := range []corev1.ConditionStatus{unknown, ready, unknown} {
				states <- s
			}
			<-time.After(notReadyGrace - time.Second)
			states <- ready
			<-time.After(time.Minute)
			states <- unknown
			close(states)
		}()
		err := nodesStayReady(t.Context(), nodesSaying(states))
		if !NodeFailed(err) || err.Error() != "node n is not Ready any more: R" {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != 2*notReadyGrace-time.Second+time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

// endless runs commands that end only when they are told to, and take a moment then.
type endless struct{ running atomic.Int64 }

func (e *endless) Run(ctx context.Context, _ command.Command) ([]byte, error) {
	e.running.Add(1)
	defer e.running.Add(-1)
	<-ctx.Done()
	goruntime.Gosched()
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

func TestAFailureOfKindHasTheOutputOfItsCommand(t *testing.T) {
	other := errors.New("other")
	var log strings.Builder
	if err := withOutput(other, &log); err.Error() != "other" || withOutput(nil, &log) != nil || log.Len() > 0 {
		t.Errorf("error %v, log %q", err, log.String())
	}
	failed := &kindexec.RunError{Command: []string{"docker", "network", "create", "kind"}, Output: []byte("mkdir: no space left on device\n"), Inner: other}
	err := withOutput(kinderrors.Wrap(failed, "ensure network"), &log)
	if want := "ensure network: docker network: other\nmkdir: no space left on device"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	if got, ok := errors.AsType[*kindexec.RunError](err); !ok || got != failed {
		t.Error("that a command failed cannot be seen any more")
	}
	if want := "ensure network: " + failed.Error() + "\n"; log.String() != want {
		t.Errorf("log %q, want %q", log.String(), want)
	}
}

func TestNodeNames(t *testing.T) {
	want := []string{"c-control-plane", "c-worker", "c-worker2"}
	for i, w := range want {
		if got := nodeName("c", i); got != w {
			t.Errorf("node %d is %q, want %q", i, got, w)
		}
	}
}
