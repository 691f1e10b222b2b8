//go:build chaos

package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stop is a way to stop a run.
type stop struct {
	name string
	exit int
	// terminal says that the run has one, kills that mage itself, which started it, does
	// not live to tell how it ended.
	terminal, kills bool
	do              func(r *run)
}

func stops() []stop {
	return []stop{
		{"SIGINT", 130, false, false, func(r *run) { r.signal(syscall.SIGINT) }},
		{"SIGTERM", 143, false, false, func(r *run) { r.kill(r.targets(), syscall.SIGTERM) }},
		// As kill(1) and process managers do, to the process that they know of.
		{"SIGTERM of mage", 143, false, true, func(r *run) { r.kill(r.cmd.Process.Pid, syscall.SIGTERM) }},
		{"SIGKILL", 137, false, true, func(r *run) { r.signal(syscall.SIGKILL) }},
		{"terminal closed", 129, true, true, func(r *run) { _ = r.terminal.Close() }},
	}
}

// kill sends a signal to a process, and to no other.
func (r *run) kill(pid int, s syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		r.t.Fatal(err)
	}
}

// targets is the process that mage has compiled and started.
func (r *run) targets() int {
	r.t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", r.cmd.Process.Pid))
	var pids []int
	for _, file := range files {
		children, readErr := os.ReadFile(file)
		err = errors.Join(err, readErr)
		for pid := range strings.FieldsSeq(string(children)) {
			n, numberErr := strconv.Atoi(pid)
			err = errors.Join(err, numberErr)
			pids = append(pids, n)
		}
	}
	if err != nil || len(pids) != 1 {
		r.t.Fatalf("the children of mage are %d, %v", pids, err)
	}
	return pids[0]
}

// place is where a run is stopped.
type place struct {
	name string
	// prepare changes the repository and returns settings and arguments of the run.
	prepare func(t *testing.T, s *site) started
	// reach returns when the run is there.
	reach func(t *testing.T, s *site, r *run)
	// pipe holds the specs there; nil for places where nothing is held.
	pipe *string
}

func places() []place {
	var pipe string
	heading := func(name string) place {
		return place{name, plain, func(_ *testing.T, _ *site, r *run) { r.await("==> " + name) }, nil}
	}
	return []place{
		{
			"build",
			func(t *testing.T, s *site) started {
				s.edit(t, "docker/service-01.Dockerfile", "USER 1001:0\n", "RUN echo the build is held && sleep 600\nUSER 1001:0\n")
				return started{args: []string{"-v", "e2e"}}
			},
			func(_ *testing.T, _ *site, r *run) { r.await("the build is held") }, nil,
		},
		{"cluster", plain, awaitNode, nil},
		heading("load"),
		heading("deploy"),
		{
			"test",
			func(t *testing.T, _ *site) started {
				var setting string
				pipe, setting = newPipe(t)
				return started{args: []string{"e2e"}, env: []string{setting}}
			},
			func(_ *testing.T, _ *site, r *run) { r.awaitSpecs(pipe) }, &pipe,
		},
		heading("coverage"),
		heading("teardown"),
	}
}

func plain(*testing.T, *site) started { return started{args: []string{"e2e"}} }

// awaitNode returns when the engine has started a node of the repository's cluster.
func awaitNode(t *testing.T, s *site, r *run) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", "events", "--filter", "type=container", "--filter", "event=start",
		"--filter", "label=io.x-k8s.kind.role=control-plane", "--format", "{{.Actor.Attributes.name}}")
	events, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	line, err := bufio.NewReader(events).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, s.Suite().Name) {
		t.Fatalf("the node that started is %q, %v\n%s", line, err, r.printed())
	}
}

// TestStops stops a run in every way at every place.
func TestStops(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "stops"))
	warm := s.start(t, plain(t, s))
	if code := warm.end(10 * reachable); code != 0 {
		t.Fatalf("a run that nobody stops ends with %d", code)
	}
	for _, at := range places() {
		for _, how := range stops() {
			t.Run(at.name+"/"+how.name, func(t *testing.T) { s.stopped(t, at, how) })
		}
	}
}

// stopped stops a run, and looks at what it says and leaves.
func (s *site) stopped(t *testing.T, at place, how stop) {
	o := at.prepare(t, s)
	o.terminal = how.terminal
	before := snapshot(t)
	r := s.start(t, o)
	at.reach(t, s, r)
	began := time.Now()
	how.do(r)
	code := r.end(stopBudget)
	exit, outcome := how.exit, "canceled"
	if at.name == "teardown" {
		// All is done and passed: it cleans up, as it was about to.
		outcome = "passed"
		if !how.kills {
			exit = 0
		}
	}
	if code != exit {
		t.Errorf("exit code %d, want %d", code, exit)
	}
	result := row{fault: how.name, place: at.name, exit: code, told: told(r.printed()), left: "nothing"}
	if how.name == "SIGKILL" {
		// Nobody is there to clean up: the next run does, before it begins.
		next := s.start(t, started{args: []string{"preflight"}})
		if code := next.end(reachable); code != 0 {
			t.Errorf("the next command ended with %d", code)
		}
	}
	var left []string
	if result.gone, left = cleanAfter(t, before, r.temp, began, stopBudget); len(left) > 0 {
		t.Errorf("after %s there is still\n%s", result.gone, strings.Join(left, "\n"))
		result.left = strings.Join(left, "; ")
	}
	if how.name != "SIGKILL" {
		s.checkTimeline(t, outcome)
	}
	note(result)
}

// TestDeadlines gives runs less time than they need (mage -t).
func TestDeadlines(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "deadlines"))
	for _, at := range places() {
		limit, found := map[string]string{"build": "20s", "test": "90s"}[at.name]
		if !found {
			continue
		}
		t.Run(at.name, func(t *testing.T) {
			o := at.prepare(t, s)
			o.args = append([]string{"-t", limit}, o.args...)
			before := snapshot(t)
			r := s.start(t, o)
			at.reach(t, s, r)
			code := r.end(reachable)
			if code != 124 {
				t.Errorf("exit code %d, want 124", code)
			}
			result := row{fault: "-t " + limit, place: at.name, exit: code, told: told(r.printed()), left: "nothing"}
			r.leavesNothing(before)
			s.checkTimeline(t, "canceled")
			if at.name == "test" {
				s.checkEvidence(t, true)
			}
			note(result)
		})
	}
}

// TestDeadlinesAnywhere gives runs a little more time each, so that it ends in one phase
// after the other. Three quarters of it are for work.
func TestDeadlinesAnywhere(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "anywhere"))
	if code := s.start(t, plain(t, s)).end(10 * reachable); code != 0 {
		t.Fatalf("a run with all its time ended with %d", code)
	}
	for limit := 6 * time.Second; limit <= 40*time.Second; limit += 2 * time.Second {
		before := snapshot(t)
		r := s.start(t, started{args: []string{"-t", limit.String(), "e2e"}})
		code := r.end(reachable)
		at := "start"
		for line := range strings.Lines(r.printed()) {
			if phase, found := strings.CutPrefix(line, "==> "); found && !strings.HasPrefix(phase, "teardown") {
				at = strings.TrimSpace(phase)
			}
		}
		if _, left := cleanAfter(t, before, r.temp, time.Now(), 0); len(left) > 0 {
			t.Errorf("after -t %s in %s there is still\n%s", limit, at, strings.Join(left, "\n"))
		}
		if code == 0 {
			break // It had the time that it needs.
		}
		if code != 124 {
			t.Errorf("-t %s in %s: exit code %d, want 124\n%s", limit, at, code, r.printed())
		}
		s.checkTimeline(t, "canceled")
		note(row{fault: "-t " + limit.String(), place: at, exit: code, told: told(r.printed()), left: "nothing"})
	}
}

// TestSecondInterruption has somebody press Ctrl-C twice.
func TestSecondInterruption(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "twice"))
	before := snapshot(t)
	r := s.start(t, plain(t, s))
	awaitNode(t, s, r)
	r.signal(syscall.SIGINT)
	r.await("cancelling mage targets")
	began := time.Now()
	r.signal(syscall.SIGINT)
	code := r.end(stopBudget)
	if took := time.Since(began); code == 0 || took > time.Second {
		t.Errorf("it ended with %d after %s", code, took)
	}
	if code := s.start(t, started{args: []string{"preflight"}}).end(reachable); code != 0 {
		t.Errorf("the next command ended with %d", code)
	}
	gone, left := cleanAfter(t, before, r.temp, began, 0)
	if len(left) > 0 {
		t.Errorf("there is still\n%s", strings.Join(left, "\n"))
	}
	note(row{fault: "SIGINT twice", place: "cluster", exit: code, told: told(r.printed()), gone: gone, left: "nothing"})
}

// checkTimeline looks whether the run has told its end in its artifacts.
func (s *site) checkTimeline(t *testing.T, outcome string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.Dir, "_artifacts", "latest", "timeline.json"))
	if err != nil {
		t.Error(err)
		return
	}
	var timeline struct{ Result string }
	if err := json.Unmarshal(content, &timeline); err != nil || timeline.Result != outcome {
		t.Errorf("the result is %q, %v", timeline.Result, err)
	}
}
