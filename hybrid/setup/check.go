package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// Level says how much a finding matters.
type Level string

// The levels: a warning makes a run slow or fragile, an error makes it fail.
const (
	LevelOK      Level = "ok"
	LevelWarning Level = "warning"
	LevelError   Level = "error"
)

// Finding is one thing that Check looked at.
type Finding struct {
	// ID names the check, such as "engine".
	ID    string
	Level Level
	// Text says what was found.
	Text string
	// Fix is the next command or setting; empty when all is well.
	Fix string
}

// What a run needs: the peak of one node with four services beside one Go
// build, and the images, build caches and logs of a first run.
const (
	wantMemory = 4 << 30
	wantDisk   = 15 << 30
	// A kubelet and its pods watch hundreds of files; Debian's default of 128
	// instances runs out with the third cluster.
	wantInotify = 256
)

// Check looks for what would make a run fail or slow on this machine. It
// changes nothing.
func Check(ctx context.Context, o Options) []Finding {
	o = o.withDefaults()
	return check(ctx, thisHost(o))
}

func check(ctx context.Context, h host) []Finding {
	return []Finding{
		checkEngine(ctx, h), checkBothEngines(h), checkProgram(h, "go"), checkProgram(h, "git"),
		checkMemory(h), checkDisk(h), checkInotify(h), checkCgroups(h), checkCapability(h),
	}
}

func checkEngine(ctx context.Context, h host) Finding {
	e, err := h.detect(ctx)
	if err != nil {
		return Finding{"engine", LevelError, strings.ReplaceAll(err.Error(), "\n", "; "), fault.Next(err)}
	}
	return Finding{"engine", LevelOK, e.Kind + " " + e.Version + ", client " + e.CLI, ""}
}

func checkBothEngines(h host) Finding {
	_, docker := h.find(engine.Docker)
	_, podman := h.find(engine.Podman)
	if docker == nil && podman == nil {
		return Finding{"one engine", LevelWarning, "docker and podman are both installed", "set CONTAINER_ENGINE to the one you mean"}
	}
	return Finding{"one engine", LevelOK, "no choice between docker and podman to make", ""}
}

func checkProgram(h host, name string) Finding {
	path, err := h.find(name)
	if err != nil {
		return Finding{name, LevelError, "not on PATH", "install " + name}
	}
	return Finding{name, LevelOK, path, ""}
}

func checkMemory(h host) Finding {
	kib, err := readField(h.path("/proc/meminfo"), "MemAvailable:")
	if err != nil {
		return Finding{"memory", LevelWarning, err.Error(), ""}
	}
	return atLeast("memory", kib<<10, wantMemory, "close other programs")
}

func checkDisk(h host) Finding {
	dir := "/var/lib"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(h.path(dir), &fs); err != nil {
		return Finding{"disk", LevelWarning, fmt.Sprintf("%s: %v", dir, err), ""}
	}
	free := int64(fs.Bavail) * fs.Bsize //nolint:gosec // a file system of 8 EiB is far away
	return atLeast("disk", free, wantDisk, "free space in "+dir+", for example with the engine's own `image prune`")
}

func atLeast(id string, have, want int64, fix string) Finding {
	text := fmt.Sprintf("%.1f GiB free, a run wants %.1f GiB", float64(have)/(1<<30), float64(want)/(1<<30))
	if have < want {
		return Finding{id, LevelError, text, fix}
	}
	return Finding{id, LevelOK, text, ""}
}

func checkInotify(h host) Finding {
	const name = "fs.inotify.max_user_instances"
	b, err := os.ReadFile(h.path(filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))))
	if err != nil {
		return Finding{"inotify", LevelWarning, err.Error(), ""}
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n < wantInotify {
		return Finding{"inotify", LevelWarning, fmt.Sprintf("%s is %d", name, n), fmt.Sprintf("sysctl -w %s=%d", name, 2*wantInotify)}
	}
	return Finding{"inotify", LevelOK, fmt.Sprintf("%s is %d", name, n), ""}
}

func checkCgroups(h host) Finding {
	if _, err := os.Stat(h.path("/sys/fs/cgroup/cgroup.controllers")); err == nil {
		return Finding{"cgroups", LevelOK, "version 2", ""}
	} else if !errors.Is(err, os.ErrNotExist) {
		return Finding{"cgroups", LevelWarning, err.Error(), ""}
	}
	return Finding{"cgroups", LevelOK, "version 1; the kubelet is told to accept it", ""}
}

func checkCapability(h host) Finding {
	has, err := boundingSetHas(h.path("/proc/self/status"), capSysResource)
	switch {
	case err != nil:
		return Finding{"capabilities", LevelWarning, err.Error(), ""}
	case !has:
		return Finding{"capabilities", LevelOK, "CAP_SYS_RESOURCE is missing; setup's runtime wrapper stands in for it", ""}
	}
	return Finding{"capabilities", LevelOK, "CAP_SYS_RESOURCE is there (" + runtime.GOOS + ")", ""}
}

// readField reads the number behind a label in a file such as /proc/meminfo.
func readField(file, label string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == label {
			return strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, label)
}
