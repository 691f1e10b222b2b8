package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

const bookworm = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n"

const (
	query = `dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' `
	apt   = "apt-get --quiet --option DPkg::Lock::Timeout=120 "
)

// fakeHost is a machine in a temporary folder; files are given below its root.
func fakeHost(t *testing.T, files map[string]string) host {
	t.Helper()
	// Short, since the path of a Unix socket holds 108 bytes.
	root, err := os.MkdirTemp("", "host") //nolint:usetesting // t.TempDir holds the name of the test.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	h := host{
		root: root,
		find: func(name string) (string, error) { return "", fmt.Errorf("%s: not found", name) },
		detect: func(context.Context) (*engine.Engine, error) {
			return nil, fault.With(engine.ErrNone, "go run magefile.go setup")
		},
		launch: func(string, []string, string) (<-chan error, error) {
			t.Error("a daemon was started")
			return nil, errors.New("must not start")
		},
	}
	for _, dir := range []string{"/usr/sbin", "/var/run", "/var/log"} {
		if err := os.MkdirAll(h.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range files {
		if err := writeFile(h.path(name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// outcomes remembers how each task ended.
type outcomes struct {
	task.Observers
	ended map[string]task.Outcome
}

func (o *outcomes) TaskEnded(e task.Event) { o.ended[e.Task] = e.Outcome }

func setupOn(h host, r command.Runner) (*installer, *outcomes) {
	seen := &outcomes{ended: map[string]task.Outcome{}}
	return &installer{Options: Options{Runner: r, Observer: seen, Getenv: func(string) string { return "" }}, host: h}, seen
}

func running(kind, version string) func(context.Context) (*engine.Engine, error) {
	return func(context.Context) (*engine.Engine, error) {
		return &engine.Engine{Kind: kind, CLI: "/usr/bin/" + kind, Version: version}, nil
	}
}

func TestSecondRunChangesNothing(t *testing.T) {
	h := fakeHost(t, map[string]string{"/etc/os-release": bookworm, "/proc/self/status": "CapBnd:\t000001fffeffffff\n"})
	h.detect = running("docker", "20.10.24")
	r := &command.Recorder{Replies: map[string]command.Reply{
		"dpkg-query": {Stdout: "mmdebstrap installed\npostgresql installed\nredis-server installed\n"},
	}}
	s, seen := setupOn(h, r)
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{query + "mmdebstrap postgresql redis-server"}; !reflect.DeepEqual(r.Calls(), want) {
		t.Errorf("calls %q, want %q", r.Calls(), want)
	}
	want := map[string]task.Outcome{
		"setup.probe": task.Cached, "setup.runtime": task.Cached, "setup.packages": task.Cached, "setup.engine": task.Cached,
	}
	if !reflect.DeepEqual(seen.ended, want) {
		t.Errorf("outcomes %v, want %v", seen.ended, want)
	}
	if _, err := os.Stat(h.path(configPath)); !os.IsNotExist(err) {
		t.Errorf("a running engine was configured: %v", err)
	}
}

func TestBareMachineGetsAnEngine(t *testing.T) {
	h := fakeHost(t, map[string]string{"/etc/os-release": bookworm, "/proc/self/status": "CapBnd:\t000001fffeffffff\n"})
	r := &command.Recorder{Replies: map[string]command.Reply{
		"dpkg-query":      {Stdout: "postgresql installed\nredis-server config-files\n"},
		apt + "update":    {},
		apt + "install":   {},
		"/usr/bin/docker": {},
	}}
	found := false
	h.find = func(name string) (string, error) {
		if !found || name != "dockerd" {
			return "", errors.New("not found")
		}
		return "/usr/sbin/dockerd", nil
	}
	none := h.detect
	h.detect = func(ctx context.Context) (*engine.Engine, error) {
		if !found {
			found = true
			return none(ctx)
		}
		return running("docker", "20.10.24")(ctx)
	}
	daemon := &fakeDaemon{t: t}
	h.launch = daemon.launch(h.path(socket))
	// The lookup of dockerd before the installation must miss.
	firstFind := h.find
	lookups := 0
	h.find = func(name string) (string, error) {
		if lookups++; lookups == 1 {
			return "", errors.New("not found")
		}
		return firstFind(name)
	}
	s, _ := setupOn(h, r)
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		query + "docker.io mmdebstrap postgresql redis-server",
		apt + "update",
		apt + "install --yes --no-install-recommends docker.io mmdebstrap redis-server",
	}
	if !reflect.DeepEqual(r.Calls(), want) {
		t.Errorf("calls\n%q\nwant\n%q", r.Calls(), want)
	}
	if want := h.path(daemonLog); daemon.path != "/usr/sbin/dockerd" || daemon.log != want {
		t.Errorf("started %s with log %s, want /usr/sbin/dockerd and %s", daemon.path, daemon.log, want)
	}
	config, err := os.ReadFile(h.path(configPath))
	if err != nil || !strings.Contains(string(config), `"default-runtime": "hybrid-runc"`) {
		t.Errorf("configuration %s, error %v", config, err)
	}
	if _, err := os.Stat(h.path(policyFile)); !os.IsNotExist(err) {
		t.Errorf("the policy against service starts stayed: %v", err)
	}
}

func TestMachinesThatSetupCannotChange(t *testing.T) {
	for _, c := range []struct {
		name, release string
		uid           int
		want          string
	}{
		{"debian user", bookworm, 1000, "sudo apt-get update && sudo apt-get install --yes docker.io && sudo systemctl enable --now docker"},
		{"ubuntu user", "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=24.04\n", 1000, "sudo apt-get update && sudo apt-get install --yes docker.io docker-buildx"},
		{"fedora", "ID=fedora\n", 0, "sudo dnf install --assumeyes moby-engine"},
		{"rocky", "ID=rocky\nID_LIKE=\"rhel centos fedora\"\n", 0, "sudo dnf install --assumeyes podman"},
		{"unknown", "ID=plan9\n", 0, "install and start docker"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := fakeHost(t, map[string]string{"/etc/os-release": c.release})
			h.uid = c.uid
			r := &command.Recorder{}
			s, _ := setupOn(h, r)
			err := s.run(t.Context())
			if !errors.Is(err, engine.ErrNone) || !strings.HasPrefix(fault.Next(err), c.want) {
				t.Errorf("error %v, next %q, want %q", err, fault.Next(err), c.want)
			}
			if len(r.Calls()) != 0 {
				t.Errorf("ran %q", r.Calls())
			}
		})
	}
}

func TestExistingPolicyIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy-rc.d")
	if err := os.WriteFile(path, []byte("mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	restore, err := denyServiceStarts(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("policy %q, error %v", b, err)
	}
}

// fakeDaemon serves the engine's ping when it is launched.
type fakeDaemon struct {
	t         *testing.T
	path, log string
}

func (d *fakeDaemon) launch(socket string) func(string, []string, string) (<-chan error, error) {
	return func(path string, _ []string, log string) (<-chan error, error) {
		d.path, d.log = path, log
		listener, err := net.Listen("unix", socket)
		if err != nil {
			return nil, err
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/_ping" {
				w.WriteHeader(http.StatusNotFound)
			}
		})}
		go func() { _ = server.Serve(listener) }()
		d.t.Cleanup(func() { server.Close() })
		return make(chan error), nil
	}
}
