package setup

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

func TestStalePID(t *testing.T) {
	const file = "/var/run/docker.pid"
	for _, c := range []struct {
		name  string
		files map[string]string
		gone  bool
		fails bool
	}{
		{name: "no file", gone: true},
		{name: "process is gone", files: map[string]string{file: "4711"}, gone: true},
		{name: "another program has the id", files: map[string]string{file: "4711\n", "/proc/4711/comm": "bash\n"}, gone: true},
		{name: "not a number", files: map[string]string{file: "?"}, gone: true},
		{name: "a daemon that does not answer", files: map[string]string{file: "4711", "/proc/4711/comm": "dockerd\n"}, fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := fakeHost(t, c.files)
			err := dropStalePID(h, file, "dockerd")
			if (err != nil) != c.fails {
				t.Fatalf("error %v", err)
			}
			if c.fails && !strings.Contains(fault.Next(err), "kill 4711") {
				t.Errorf("next %q", fault.Next(err))
			}
			if _, err := os.Stat(h.path(file)); os.IsNotExist(err) != c.gone {
				t.Errorf("after: %v, want gone %v", err, c.gone)
			}
		})
	}
}

func TestALivingContainerdIsKept(t *testing.T) {
	const file = "/var/run/docker/containerd/containerd.pid"
	h := fakeHost(t, map[string]string{file: "12", "/proc/12/comm": "containerd\n"})
	if err := dropStalePID(h, file, "containerd"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(h.path(file)); err != nil {
		t.Error(err)
	}
}

func TestADaemonThatEndsIsReported(t *testing.T) {
	h := fakeHost(t, nil)
	watch, err := watchSocket(h.path(socket))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	ended := make(chan error, 1)
	ended <- errors.New("exit status 1")
	err = awaitDaemon(t.Context(), h.path(socket), watch, ended)
	if err == nil || err.Error() != "dockerd ended before it answered: exit status 1" {
		t.Errorf("error %v", err)
	}
}

// A daemon must have a session of its own, or the terminal's Ctrl-C ends it.
func TestLaunchDetaches(t *testing.T) {
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	ended, err := launch(path, []string{"-c", "cut -d ' ' -f 1,6 /proc/$$/stat"}, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b))
	if len(fields) != 2 || fields[0] != fields[1] {
		t.Errorf("process and session %q, want the same", fields)
	}
	if own, err := syscall.Getpgid(0); err != nil || fields[0] == strconv.Itoa(own) {
		t.Errorf("the daemon shares our process group %d, %v", own, err)
	}
}

// The wrapper is tried with a runc that only shows what it was given.
func TestRuntimeWrapperDropsTheCapability(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "runc"), []byte("#!/bin/sh\necho \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	wrapper := filepath.Join(dir, "wrapper")
	script := strings.ReplaceAll(string(runtimeWrapper), "/usr/sbin/runc", filepath.Join(dir, "runc"))
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	const before = `{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE","CAP_KILL"],"effective":["CAP_SYS_RESOURCE","CAP_KILL"],"permitted":["CAP_SYS_RESOURCE"]}`
	const after = `{"bounding":["CAP_CHOWN","CAP_KILL"],"effective":["CAP_KILL"],"permitted":[]}`
	config := filepath.Join(dir, "config.json")
	for _, args := range [][]string{
		{"--root", "/r", "create", "--bundle", dir, "name"},
		{"create", "--bundle=" + dir, "name"},
		{"exec", "--process", config, "name"},
	} {
		if err := os.WriteFile(config, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), wrapper, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(out)); got != strings.Join(args, " ") {
			t.Errorf("runc got %q, want %q", got, args)
		}
		if b, err := os.ReadFile(config); err != nil || string(b) != after {
			t.Errorf("%v: capabilities %s, error %v", args, b, err)
		}
	}
}
