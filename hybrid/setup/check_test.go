package setup

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

func TestCheckNamesEveryFix(t *testing.T) {
	h := fakeHost(t, map[string]string{
		"/proc/self/status":                       "CapBnd:\t000001fffeffffff\n",
		"/proc/meminfo":                           "MemTotal: 8388608 kB\nMemAvailable:    2097152 kB\n",
		"/proc/sys/fs/inotify/max_user_watches":   "8192\n",
		"/proc/sys/fs/inotify/max_user_instances": "1024\n",
		"/sys/fs/cgroup/cgroup.controllers":       "cpu memory\n",
		"/var/lib/docker/engine-id":               "",
	})
	h.find = func(name string) (string, error) {
		if name == "git" {
			return "", errors.New("not found")
		}
		return "/usr/bin/" + name, nil
	}
	r := &command.Recorder{Replies: map[string]command.Reply{
		"/usr/bin/docker info --format '{{.DefaultRuntime}}'": {Stdout: "runc\n"},
		"/usr/bin/docker info --format '{{.DockerRootDir}}'":  {Stdout: "/var/lib/docker\n"},
	}}
	h.detect = func(context.Context) (*engine.Engine, error) {
		return &engine.Engine{Kind: engine.Docker, CLI: "/usr/bin/docker", Version: "20.10.24", Runner: r}, nil
	}
	c := checker{Options: Options{Runner: r, Getenv: func(string) string { return "" }}, host: h}
	got := map[string]Level{}
	for _, f := range c.all(t.Context()) {
		got[f.ID] = f.Level
		if f.Level != OK && f.Fix == "" {
			t.Errorf("%s has no fix: %s", f.ID, f.Text)
		}
	}
	// How much disk is free here is not the test's business.
	delete(got, "disk")
	want := map[string]Level{
		"engine": OK, "engines": Warning, "cap-sys-resource": Error, "memory": Error, "inotify": Warning,
		"cgroup": OK, "huge-pages": OK, "go": OK, "git": Error,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("findings %v, want %v", got, want)
	}
}

func TestHugePages(t *testing.T) {
	const fix = "echo always | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"
	for content, want := range map[string]Finding{
		"":                         {"huge-pages", OK, "this system has none to choose", ""},
		"[always] madvise never\n": {"huge-pages", OK, "all memory comes in huge pages", ""},
		"always [madvise] never\n": {"huge-pages", OK, "madvise; with always, virtual machines may compile half as fast again, until they are restarted", fix},
	} {
		files := map[string]string{hugePages: content}
		if content == "" {
			files = nil
		}
		k := checker{host: fakeHost(t, files)}
		if got := k.checkHugePages(); got != want {
			t.Errorf("%q: %+v, want %+v", content, got, want)
		}
	}
}

func TestCapability(t *testing.T) {
	for _, c := range []struct {
		name, set, version, runtime string
		want                        Level
	}{
		{"present", "000001ffffffffff", "20.10.24", "runc", OK},
		{"old engine", "000001fffeffffff", "20.10.24+dfsg1", "runc", Error},
		{"old engine with the wrapper", "000001fffeffffff", "20.10.24+dfsg1", "hybrid-runc", OK},
		{"new engine", "000001fffeffffff", "28.2.2", "runc", OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &command.Recorder{Replies: map[string]command.Reply{"docker info": {Stdout: c.runtime + "\n"}}}
			k := checker{
				host:   fakeHost(t, map[string]string{"/proc/self/status": "CapBnd:\t" + c.set + "\n"}),
				engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Version: c.version, Runner: r},
			}
			if got := k.checkCapability(t.Context()); got.Level != c.want {
				t.Errorf("finding %+v, want %s", got, c.want)
			}
		})
	}
}

func TestPodmanLimits(t *testing.T) {
	const status, conf, own = "/proc/self/status", "/etc/containers/containers.conf", "/own.conf"
	for name, c := range map[string]struct {
		files     map[string]string
		variable  string
		wantLevel Level
	}{
		"none":                   {map[string]string{}, "", Warning},
		"commented out":          {map[string]string{conf: "[containers]\n#default_ulimits = []\n"}, "", Warning},
		"for the machine":        {map[string]string{conf: "[containers]\ndefault_ulimits = [\"nofile=1:1\"]\n"}, "", OK},
		"in a file of one's own": {map[string]string{own: "default_ulimits = [\"nofile=1:1\"]\n"}, own, OK},
	} {
		c.files[status] = "CapBnd:\t000001fffeffffff\n"
		k := checker{
			Options: Options{Getenv: func(string) string { return c.variable }}, host: fakeHost(t, c.files),
			engine: &engine.Engine{Kind: engine.Podman, Version: "4.3.1"},
		}
		if got := k.checkCapability(t.Context()); got.Level != c.wantLevel || (got.Level != OK) != (got.Fix != "") {
			t.Errorf("%s: finding %+v, want %s", name, got, c.wantLevel)
		}
	}
}

func TestAmount(t *testing.T) {
	for have, want := range map[int64]Level{memoryNeeded - 1: Error, memoryNeeded: Warning, memoryWanted - 1: Warning, memoryWanted: OK} {
		if got := amount("memory", "available", have, memoryNeeded, memoryWanted, "fix"); got.Level != want {
			t.Errorf("%d bytes: %+v, want %s", have, got, want)
		}
	}
}

func TestEnginePackages(t *testing.T) {
	for release, want := range map[string][]string{
		bookworm:                     {"docker.io"},
		"ID=debian\nVERSION_ID=13\n": {"docker.io", "docker-cli", "docker-buildx"},
		"ID=ubuntu\nID_LIKE=debian\nVERSION_ID=22.04": {"docker.io", "docker-buildx"},
		"ID=debian\nVERSION_CODENAME=forky\n":         {"docker.io", "docker-cli", "docker-buildx"},
	} {
		if got := parseSystem([]byte(release)).enginePackages(); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: packages %q, want %q", release, got, want)
		}
	}
}
