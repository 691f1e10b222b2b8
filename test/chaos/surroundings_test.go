//go:build chaos

package chaos

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk is a file system of its own with so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return dir
}

// shrink takes all that is free from a file system that smallDisk made, and returns what
// gives it the size again.
func shrink(t *testing.T, dir, size string) (undo func()) {
	t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		t.Fatal(err)
	}
	resize := func(size string) {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "mount", "-o", "remount,size="+size, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	used := disk.Blocks - disk.Bfree
	resize(strconv.FormatUint(used*uint64(disk.Bsize), 10))
	return func() { resize(size) }
}

// fill takes all the room of a disk.
func fill(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<16)
	for err == nil {
		_, err = file.Write(block)
	}
	if closeErr := file.Close(); closeErr != nil {
		t.Fatal(closeErr)
	}
}

// failure is how a run has to fail.
func (r *run) failure(before traces, fault, place string, wants ...string) {
	r.t.Helper()
	code := r.end(reachable)
	if code != 3 {
		r.t.Errorf("exit code %d, want 3", code)
	}
	for _, want := range wants {
		if !regexp.MustCompile(want).MatchString(r.printed()) {
			r.t.Errorf("it does not tell %q", want)
		}
	}
	r.leavesNothing(before)
	note(row{fault: fault, place: place, exit: code, told: told(r.printed()), left: "nothing"})
}

// TestFullDisks has disks that are too small, or become full.
func TestFullDisks(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "disks"))
	t.Run("artifacts, too small", func(t *testing.T) {
		before := snapshot(t)
		r := s.start(t, started{args: []string{"e2e"}, env: []string{"ARTIFACTS=" + smallDisk(t, "20m")}})
		r.failure(before, "no room for artifacts", "preflight", `FAILED  preflight: room`, `the run's artifacts needs 100 MiB, and \S+ has (19|20) MiB free`, `next +delete folders`)
	})
	t.Run("temporary files, too small", func(t *testing.T) {
		before := snapshot(t)
		r := s.start(t, started{args: []string{"e2e"}, env: []string{"TMPDIR=" + smallDisk(t, "100m")}})
		r.failure(before, "no room for temporary files", "preflight", `FAILED  preflight: room`, `temporary files needs 500 MiB`, `next +make room there`)
	})
	t.Run("artifacts, full with specs at work", func(t *testing.T) {
		disk := smallDisk(t, "120m")
		pipe, setting := newPipe(t)
		before := snapshot(t)
		r := s.start(t, started{args: []string{"e2e"}, env: []string{setting, "ARTIFACTS=" + disk, "TEST_TIMEOUT=100s"}})
		r.awaitSpecs(pipe)
		fill(t, disk)
		docker(t, "kill", nodeOf(t, s.Dir)) // So that there is something to write.
		r.await(anew)
		free(t, pipe)
		go func() { _, _ = os.ReadFile(pipe) }()
		r.failure(before, "artifacts become full", "test", `the disk with the run's artifacts, \S+, is full`, `no space left on device`, `set ARTIFACTS`)
	})
	t.Run("in the node", func(t *testing.T) {
		before := snapshot(t)
		r := s.start(t, started{args: []string{"e2e"}, env: []string{"PRELOAD=0"}}) // There is something to load.
		awaitNode(t, s, r)
		docker(t, "exec", nodeOf(t, s.Dir), "sh", "-ec", `
			content=/var/lib/containerd/io.containerd.content.v1.content
			mkdir -p $content && cp -a $content /run/content
			mount -t tmpfs -o size=$(($(du -sk /run/content | cut -f1) + 64))k tmpfs $content
			cp -a /run/content/. $content && rm -r /run/content`)
		r.failure(before, "node's disk becomes full", "load", `FAILED  load: `, `no space left on device`, `/var/lib/containerd`)
	})
}

// TestPortTaken has somebody take a port after it has been drawn for a cluster and before
// the engine binds it.
func TestPortTaken(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "port"))
	before := snapshot(t)
	r := s.start(t, plain(t, s))
	r.await("==> cluster")
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	port := hostPort(s.Dir)
	for ; port == 0; port = hostPort(s.Dir) {
		select {
		case <-tick.C:
		case <-r.ended:
			t.Fatal("it ended before it drew ports")
		}
	}
	var listen net.ListenConfig
	taker, err := listen.Listen(t.Context(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	code := r.end(reachable)
	_ = taker.Close()
	log, err := os.ReadFile(filepath.Join(s.Dir, "_artifacts", "latest", "logs", "cluster.create.log"))
	if want := "once more, with other ports: "; err != nil || !strings.Contains(string(log), want) || code != 0 {
		t.Errorf("exit code %d, want 0, and %q in the log, %v:\n%s", code, want, err, log)
	}
	r.leavesNothing(before)
	note(row{fault: "a port is taken after it was drawn", place: "cluster", exit: code, told: "", left: "nothing"})
}

// hostPort is the first that was drawn for the cluster of the checkout; 0 as long as none is.
func hostPort(checkout string) int {
	files, _ := filepath.Glob(filepath.Join(checkout, ".hybrid", "*", "cluster.json"))
	for _, file := range files {
		var record struct {
			Config struct{ Ports []struct{ Host int } }
		}
		content, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(content, &record) == nil && len(record.Config.Ports) > 0 {
			return record.Config.Ports[0].Host
		}
	}
	return 0
}

// TestReadOnlyCheckout begins a run where nothing can be written.
func TestReadOnlyCheckout(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "readonly"))
	// mage itself has to write into the folder to compile the targets.
	if code := s.start(t, started{args: []string{"-l"}}).end(reachable); code != 0 {
		t.Fatalf("mage -l ended with %d", code)
	}
	compiled := filepath.Join(t.TempDir(), "targets")
	if code := s.start(t, started{args: []string{"-compile", compiled}}).end(reachable); code != 0 {
		t.Fatalf("mage -compile ended with %d", code)
	}
	before := snapshot(t)
	r := s.start(t, started{
		program: "unshare",
		args:    []string{"--mount", "sh", "-c", `mount --bind . . && mount -o remount,bind,ro "$PWD" && cd "$PWD" && exec "$0" e2e`, compiled},
	})
	r.failure(before, "a read-only checkout", "preflight", `create a folder of the run`, `read-only file system`, `next +make \S+ writable, or set ARTIFACTS`)
}

// TestStrictUmask has a repository and a run whose files are for nobody else.
func TestStrictUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	s := newSite(t, filepath.Join(t.TempDir(), "umask"))
	before := snapshot(t)
	r := s.start(t, plain(t, s))
	if code := r.end(reachable); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	r.leavesNothing(before)
	note(row{fault: "umask 077", place: "all", exit: 0, told: "", left: "nothing"})
}

// TestRegistry needs a registry, of which there is none.
func TestRegistry(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "registry"))
	before := snapshot(t)
	r := s.start(t, started{args: []string{"e2e"}, env: []string{"IMAGE_SOURCE=registry", "PULL_TIMEOUT=20s"}})
	r.failure(before, "no registry can be reached", "images", `FAILED  images: pull\.`, `next +mend the way to the registry, or make stand-ins instead with IMAGE_SOURCE=local`)
}

// TestShortOfMemory takes memory from a node that works. Whatever becomes of the run, it
// ends, and leaves nothing.
func TestShortOfMemory(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "memory"))
	before := snapshot(t)
	r := s.start(t, started{args: []string{"e2e"}, env: []string{"TEST_TIMEOUT=60s"}})
	r.await("==> load")
	docker(t, "update", "--memory", "900m", "--memory-swap", "900m", nodeOf(t, s.Dir))
	code := r.end(2 * reachable)
	r.leavesNothing(before)
	if cause := told(r.printed()); code != 0 && cause == "" {
		t.Errorf("it ended with %d and tells no cause", code)
	}
	note(row{fault: "memory of the node cut to 900 MB", place: "load", exit: code, told: told(r.printed()), left: "nothing"})
}
