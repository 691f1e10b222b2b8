package setup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/room"
)

// What a run needs. A node takes 0.6 GB, the services and their stores 0.5 GB,
// each Go build beside them 1.5 GB; images, caches and one cluster take 9 GB of
// disk.
const (
	gib           = 1 << 30
	memoryNeeded  = 4 * gib
	memoryWanted  = 8 * gib
	diskNeeded    = room.FromNothing
	diskWanted    = 25 * gib
	watchesWanted = 524288
	// instancesWanted is what kind's documentation names for several nodes.
	instancesWanted = 512
)

// Check looks at everything a run depends on and changes nothing. The findings
// come in a fixed order, healthy ones included.
func Check(ctx context.Context, o Options) []Finding {
	o = o.withDefaults()
	c := checker{Options: o, host: thisHost(o)}
	return c.all(ctx)
}

type checker struct {
	Options
	host   host
	engine *engine.Engine
}

func (c *checker) all(ctx context.Context) []Finding {
	return []Finding{
		c.checkEngine(ctx),
		c.checkChoice(),
		c.checkCapability(ctx),
		c.checkMemory(),
		c.checkDisk(ctx),
		c.checkInotify(),
		c.checkCgroup(),
		c.checkHugePages(),
		c.checkProgram("go", "https://go.dev/doc/install"),
		c.checkProgram("git", "install git with your system's package manager"),
	}
}

// checkEngine must come first: others ask the engine that it found.
func (c *checker) checkEngine(ctx context.Context) Finding {
	e, err := c.host.detect(ctx)
	if err != nil {
		return Finding{"engine", Error, err.Error(), fault.Next(err)}
	}
	c.engine = e
	return Finding{"engine", OK, fmt.Sprintf("%s %s by %s", e.Kind, e.Version, e.CLI), ""}
}

// checkChoice finds machines on which nobody has said which engine to use.
func (c *checker) checkChoice() Finding {
	there := slices.DeleteFunc(engine.Kinds(), func(kind string) bool {
		_, err := c.host.find(kind)
		return err != nil
	})
	if len(there) > 1 && c.Getenv("CONTAINER_ENGINE") == "" {
		return Finding{
			"engines", Warning, strings.Join(there, ", ") + " are installed; of these the first that answers is used",
			"export CONTAINER_ENGINE=" + there[0] + " (or " + strings.Join(there[1:], ", ") + ")",
		}
	}
	return Finding{"engines", OK, "one container engine to choose", ""}
}

// checkCapability finds machines on which an old engine cannot start privileged
// containers: it asks for a capability that the machine does not have.
func (c *checker) checkCapability(ctx context.Context) Finding {
	const id = "cap-sys-resource"
	has, err := boundingSetHas(c.host.path("/proc/self/status"), capSysResource)
	if err != nil {
		return Finding{id, Warning, err.Error(), ""}
	}
	if has {
		return Finding{id, OK, "the bounding set has CAP_SYS_RESOURCE", ""}
	}
	if c.engine != nil && c.engine.Kind == engine.Podman {
		return c.checkPodmanLimits(id)
	}
	if c.engine == nil || majorOf(c.engine.Version) >= 23 {
		return Finding{id, OK, "the bounding set lacks CAP_SYS_RESOURCE; this engine does not ask for it", ""}
	}
	out, err := c.engine.Run(ctx, nil, "info", "--format", "{{.DefaultRuntime}}")
	if err == nil && strings.TrimSpace(string(out)) == runtimeName {
		return Finding{id, OK, "the bounding set lacks CAP_SYS_RESOURCE; the runtime " + runtimeName + " does not ask for it", ""}
	}
	return Finding{
		id, Error, "the bounding set lacks CAP_SYS_RESOURCE, which docker " + c.engine.Version + " asks for in every privileged container",
		"use docker 23 or later, or start the machine's container with --cap-add SYS_RESOURCE",
	}
}

// checkPodmanLimits finds machines on which podman starts no container: it raises the
// limits of open files and processes, unless it is told which to set.
func (c *checker) checkPodmanLimits(id string) Finding {
	for _, file := range []string{c.Getenv("CONTAINERS_CONF"), "/etc/containers/containers.conf"} {
		b, err := os.ReadFile(c.host.path(file))
		if err == nil && strings.Contains("\n"+string(b), "\ndefault_ulimits") {
			return Finding{id, OK, "the bounding set lacks CAP_SYS_RESOURCE; " + file + " has limits that need none", ""}
		}
	}
	return Finding{
		id, Warning, "the bounding set lacks CAP_SYS_RESOURCE, which podman needs to raise the limits of a container",
		"set default_ulimits in /etc/containers/containers.conf, as docs/how-to/choose-an-engine.md has it",
	}
}

func (c *checker) checkMemory() Finding {
	free, err := room.Memory(c.host.path("/proc/meminfo"))
	if err != nil {
		return Finding{"memory", Warning, err.Error(), ""}
	}
	return amount("memory", "memory available", free, memoryNeeded, memoryWanted, "end other programs, or lower the number of parallel tests with PROCS=1")
}

// checkDisk looks where the engine keeps its images; when that is not on this
// machine, at the root.
func (c *checker) checkDisk(ctx context.Context) Finding {
	folder, kind := "/", engine.Docker
	if c.engine != nil {
		kind = c.engine.Kind
		if store, err := c.engine.StoreFolder(ctx); err == nil {
			folder = store
		}
	}
	if _, err := os.Stat(c.host.path(folder)); err != nil {
		folder = "/"
	}
	free, err := room.Free(c.host.path(folder))
	if err != nil {
		return Finding{"disk", Warning, fmt.Sprintf("free space of %s: %v", folder, err), ""}
	}
	return amount("disk", "free in "+folder, free, diskNeeded, diskWanted, kind+" system df shows what takes room")
}

// amount judges a number of bytes.
func amount(id, what string, have, needed, wanted int64, fix string) Finding {
	text := fmt.Sprintf("%.1f GiB %s", float64(have)/gib, what)
	switch {
	case have < needed:
		return Finding{id, Error, fmt.Sprintf("%s, %d GiB needed", text, needed/gib), fix}
	case have < wanted:
		return Finding{id, Warning, fmt.Sprintf("%s, %d GiB advised", text, wanted/gib), fix}
	default:
		return Finding{id, OK, text, ""}
	}
}

func (c *checker) checkInotify() Finding {
	var low []string
	for _, limit := range []struct {
		name   string
		wanted int64
	}{{"max_user_watches", watchesWanted}, {"max_user_instances", instancesWanted}} {
		b, err := os.ReadFile(c.host.path("/proc/sys/fs/inotify/" + limit.name))
		if err != nil {
			return Finding{"inotify", OK, "this system has no inotify limits", ""}
		}
		have, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		if err == nil && have < limit.wanted {
			low = append(low, fmt.Sprintf("fs.inotify.%s=%d", limit.name, limit.wanted))
		}
	}
	if len(low) > 0 {
		return Finding{
			"inotify", Warning, "inotify limits are low: pods of several nodes fail with \"too many open files\"",
			"sudo sysctl " + strings.Join(low, " "),
		}
	}
	return Finding{"inotify", OK, "inotify limits suffice", ""}
}

func (c *checker) checkCgroup() Finding {
	if _, err := os.Stat(c.host.path("/sys/fs/cgroup/cgroup.controllers")); err == nil {
		return Finding{"cgroup", OK, "cgroup v2", ""}
	}
	return Finding{"cgroup", OK, "cgroup v1, which Kubernetes deprecates; the kubelet is told to accept it", ""}
}

// hugePages is where Linux tells, and is told, whose memory comes in huge pages.
const hugePages = "/sys/kernel/mm/transparent_hugepage/enabled"

// checkHugePages tells what would make compilers faster; nothing fails without. Go's
// runtime asks for no huge pages, so it gets them where all memory does, and where page
// faults are dear, as in many virtual machines, it then compiles in two thirds of the time
// (docs/decisions/performance.md).
func (c *checker) checkHugePages() Finding {
	const id = "huge-pages"
	b, err := os.ReadFile(c.host.path(hugePages))
	if err != nil {
		return Finding{id, OK, "this system has none to choose", ""}
	}
	_, chosen, _ := strings.Cut(string(b), "[")
	chosen, _, _ = strings.Cut(chosen, "]")
	if chosen == "always" {
		return Finding{id, OK, "all memory comes in huge pages", ""}
	}
	return Finding{
		id, OK, chosen + "; with always, virtual machines may compile half as fast again, until they are restarted",
		"echo always | sudo tee " + hugePages,
	}
}

func (c *checker) checkProgram(name, fix string) Finding {
	path, err := c.host.find(name)
	if err != nil {
		return Finding{name, Error, name + " is not on PATH", fix}
	}
	return Finding{name, OK, filepath.Clean(path), ""}
}

// majorOf is the first number of a version, 0 when there is none.
func majorOf(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}
