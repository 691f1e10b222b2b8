//go:build chaos

package chaos

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/image"
)

// ownEngine is a container engine that a trial may stop, with a store and a socket of its
// own. It makes no rules for packets: those of the machine's engine stay as they are.
type ownEngine struct {
	t   *testing.T
	dir string
	// store is where it keeps images and containers, a file system of the size.
	store, size string
	args        []string
	env         []string
	cmd         *exec.Cmd
}

// newEngine starts one whose store has so many bytes.
func newEngine(t *testing.T, size string, env ...string) *ownEngine {
	t.Helper()
	e := &ownEngine{t: t, dir: t.TempDir(), store: smallDisk(t, size), size: size, env: env}
	e.args = []string{
		"--data-root", e.store, "--exec-root", filepath.Join(e.dir, "exec"), "--pidfile", filepath.Join(e.dir, "pid"),
		"--host", e.host(), "--bridge", "none", "--iptables=false", "--ip6tables=false",
	}
	e.start()
	t.Cleanup(func() {
		e.stop()
		if t.Failed() {
			log, err := os.ReadFile(filepath.Join(e.dir, "log"))
			t.Logf("the engine said, %v:\n%s", err, log[max(0, len(log)-4000):])
		}
	})
	return e
}

func (e *ownEngine) host() string { return "unix://" + filepath.Join(e.dir, "socket") }

// setting makes a run use the engine.
func (e *ownEngine) setting() string { return "DOCKER_HOST=" + e.host() }

// start returns when the engine answers.
func (e *ownEngine) start() {
	e.t.Helper()
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer log.Close()
	e.cmd = exec.CommandContext(context.WithoutCancel(e.t.Context()), "dockerd", e.args...)
	e.cmd.Env = append(os.Environ(), e.env...)
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for late := time.After(30 * time.Second); ; {
		if e.docker("version").Run() == nil {
			return
		}
		select {
		case <-late:
			e.t.Fatal("the engine does not answer")
		case <-tick.C:
		}
	}
}

// stop ends the engine as the machine's service manager does.
func (e *ownEngine) stop() {
	e.t.Helper()
	if err := e.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return // It has been stopped.
	}
	if err := e.cmd.Wait(); err != nil {
		e.t.Error(err)
	}
}

func (e *ownEngine) docker(args ...string) *exec.Cmd {
	return exec.CommandContext(context.WithoutCancel(e.t.Context()), "docker", append([]string{"--host", e.host()}, args...)...)
}

// left lists the containers and networks of runs.
func (e *ownEngine) left() string {
	e.t.Helper()
	containers, err := e.docker("ps", "--all", "--format", "container {{.Names}}").Output()
	if err != nil {
		e.t.Fatal(err)
	}
	volumes, err := e.docker("volume", "ls", "--format", "volume {{.Name}}").Output()
	if err != nil {
		e.t.Fatal(err)
	}
	return string(containers) + string(volumes)
}

// copyImages gives the engine what the repository's runs use.
func (e *ownEngine) copyImages(s *site) {
	e.t.Helper()
	for range 2 { // What is not made any more is named.
		r := s.start(e.t, started{args: []string{"build"}})
		if code := r.end(10 * reachable); code != 0 {
			e.t.Fatalf("a build ended with %d", code)
		}
		refs := regexp.MustCompile(`hybrid\.local/[\w./-]+:[\w.-]+`).FindAllString(r.printed(), -1)
		if !strings.Contains(r.printed(), "kindest-node-preloaded:") {
			continue
		}
		refs = append(refs, references(e.t, image.Registry+"/"+s.ImagePrefix()+"-*")...)
		slices.Sort(refs)
		save := exec.CommandContext(e.t.Context(), "docker", append([]string{"save"}, slices.Compact(refs)...)...)
		load := e.docker("load")
		var err error
		if load.Stdin, err = save.StdoutPipe(); err != nil {
			e.t.Fatal(err)
		}
		var said strings.Builder
		save.Stderr = &said
		if err := save.Start(); err != nil {
			e.t.Fatal(err)
		}
		if out, err := load.CombinedOutput(); err != nil {
			e.t.Fatalf("%v: %s; %v: %s", err, out, save.Wait(), said.String())
		}
		if err := save.Wait(); err != nil {
			e.t.Fatalf("%v: %s", err, said.String())
		}
		return
	}
	e.t.Fatal("the build does not name its images")
}

// TestEngineWithoutRoom has an engine whose disk is too small.
func TestEngineWithoutRoom(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "small"))
	e := newEngine(t, "1g")
	before := snapshot(t)
	r := s.start(t, started{args: []string{"e2e"}, env: []string{e.setting()}})
	r.failure(before, "no room in the engine's store", "preflight",
		`FAILED  preflight: room`, `the engine's store needs 10\.0 GiB, and \S+ has \d+ MiB free`, `next +docker system df`)
}

// TestEngineTrouble fills the disk of an engine under a run, stops it, and starts it
// again.
func TestEngineTrouble(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "engine"))
	e := newEngine(t, "12g")
	e.copyImages(s)
	for _, place := range []string{"cluster", "load"} {
		t.Run("disk full in "+place, func(t *testing.T) {
			before := snapshot(t)
			r := s.start(t, started{args: []string{"e2e"}, env: []string{"PRELOAD=0", e.setting()}}) // There is something to load.
			r.await("==> " + place)
			defer shrink(t, e.store, e.size)()
			r.failure(before, "engine's disk becomes full", place, `no space left on device`, `the disk with the engine's store, \S+, is full`, `docker system df`)
			if left := e.left(); left != "" {
				t.Errorf("there is still\n%s", left)
			}
		})
	}
	for _, f := range []struct {
		place   string
		prepare func(t *testing.T) started
		reach   func(r *run)
		restart bool
	}{
		{
			"build",
			func(t *testing.T) started {
				s.edit(t, dockerfile, "FROM ${UBI_MINIMAL_IMAGE}\n", "FROM ${UBI_MINIMAL_IMAGE}\nRUN echo the build is held && sleep 600\n")
				return started{args: []string{"-v", "e2e"}}
			},
			func(r *run) { r.await("the build is held") }, false,
		},
		{
			"build, and restarted",
			func(t *testing.T) started {
				s.edit(t, dockerfile, "FROM ${UBI_MINIMAL_IMAGE}\n", "FROM ${UBI_MINIMAL_IMAGE}\nRUN echo the build is held && sleep 600\n")
				return started{args: []string{"-v", "e2e"}}
			},
			func(r *run) { r.await("the build is held") }, true,
		},
		{
			"load",
			func(*testing.T) started { return started{args: []string{"e2e"}, env: []string{"PRELOAD=0"}} },
			func(r *run) { r.await("==> load") }, false,
		},
		{
			"load, and restarted",
			func(*testing.T) started { return started{args: []string{"e2e"}, env: []string{"PRELOAD=0"}} },
			func(r *run) { r.await("==> load") }, true,
		},
	} {
		t.Run(f.place, func(t *testing.T) {
			o := f.prepare(t)
			o.env = append(o.env, e.setting())
			before := snapshot(t)
			r := s.start(t, o)
			f.reach(r)
			began := time.Now()
			e.stop()
			if f.restart {
				e.start()
			}
			r.await("FAILED")
			took := time.Since(began)
			code := r.end(reachable)
			if code != 3 || took > 30*time.Second {
				t.Errorf("exit code %d, told after %s, want 3 within 30 s", code, took)
			}
			if !f.restart {
				if !strings.Contains(r.printed(), "the container engine stopped answering") || !strings.Contains(r.printed(), "next    go run magefile.go setup") {
					t.Error("it does not tell that the engine is gone")
				}
				e.start()
			}
			// What could not be removed without an engine, the next run removes.
			if code := s.start(t, started{args: []string{"preflight"}, env: []string{e.setting()}}).end(reachable); code != 0 {
				t.Errorf("the next command ended with %d", code)
			}
			if left := e.left(); left != "" {
				t.Errorf("there is still\n%s", left)
			}
			r.leavesNothing(before)
			note(row{fault: "engine stopped", place: f.place, exit: code, told: told(r.printed()), gone: took, left: "nothing"})
		})
	}
}

// TestRegistryTrouble has a way to the registries on which nothing comes, or a refusal.
func TestRegistryTrouble(t *testing.T) {
	silent, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // It is never asked to accept anybody: connections wait in its backlog.
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not here", http.StatusForbidden)
	}))
	defer refusing.Close()
	s := newSite(t, filepath.Join(t.TempDir(), "registry"))
	for _, f := range []struct{ name, proxy, told string }{
		{"registry does not answer", "http://" + silent.Addr().String(), `it did not come within 15s \(PULL_TIMEOUT\)`},
		{"registry refuses", refusing.URL, `Forbidden`},
	} {
		t.Run(f.name, func(t *testing.T) {
			e := newEngine(t, "12g", "HTTPS_PROXY="+f.proxy, "NO_PROXY=")
			before := snapshot(t)
			r := s.start(t, started{args: []string{"e2e"}, env: []string{e.setting(), "IMAGE_SOURCE=registry", "PULL_TIMEOUT=15s"}})
			r.failure(before, f.name, "images", `FAILED  images: pull\.`, f.told, `next +mend the way to the registry`)
		})
	}
}
