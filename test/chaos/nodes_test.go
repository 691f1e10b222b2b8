//go:build chaos

package chaos

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	// kubeletSilence is what Kubernetes takes to notice a kubelet that is silent, 50 s, and
	// what a run then waits to be sure.
	kubeletSilence = 70 * time.Second
	// anew is what a run says when it makes its cluster again.
	anew = "the cluster is made anew, once: "
)

// docker runs the engine's client.
func docker(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput(); err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// nodeFault is what happens to a node: a shell's commands, in which $NODE is its name.
type nodeFault struct {
	name   string
	do     string
	told   string // A regular expression.
	within time.Duration
}

func (f nodeFault) happen(t *testing.T, s *site) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", f.do)
	cmd.Env = append(os.Environ(), "NODE="+nodeOf(t, s.Dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", f.do, err, out)
	}
}

func killed() nodeFault {
	return nodeFault{"node killed", "docker kill $NODE", `node \S+-control-plane died: exit code 137`, 5 * time.Second}
}

func paused() nodeFault {
	return nodeFault{"node paused", "docker pause $NODE", `node \S+-control-plane was paused`, 5 * time.Second}
}

// outOfMemory has the kernel end the node, whose first process gets the highest score.
func outOfMemory() nodeFault {
	return nodeFault{
		"node out of memory", `docker update --memory 1200m --memory-swap 1200m $NODE
			docker exec $NODE sh -c "echo 1000 > /proc/1/oom_score_adj; tail /dev/zero" || true`,
		`node \S+-control-plane died: exit code 137`, 30 * time.Second,
	}
}

// TestNodeFails has something happen to the node. The run tells it, makes the cluster anew
// but not the images, and passes.
func TestNodeFails(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "node"))
	for _, at := range places() {
		if at.name == "build" || at.name == "teardown" {
			continue // There is no node, or none that is needed.
		}
		faults := []nodeFault{killed(), paused(), outOfMemory()}
		if at.name == "test" {
			faults = append(faults,
				nodeFault{"node stopped", "docker stop --time 1 $NODE", `node \S+-control-plane died: exit code \d+`, 10 * time.Second},
				nodeFault{"kubelet stopped", "docker exec $NODE systemctl stop kubelet", `node \S+-control-plane is not Ready any more: Kubelet stopped`, kubeletSilence},
			)
		}
		for _, f := range faults {
			t.Run(at.name+"/"+f.name, func(t *testing.T) {
				o := at.prepare(t, s)
				before := snapshot(t)
				r := s.start(t, o)
				at.reach(t, s, r)
				began := time.Now()
				f.happen(t, s)
				r.await(anew)
				took := time.Since(began)
				if at.pipe != nil {
					free(t, *at.pipe)
					r.awaitSpecs(*at.pipe)
				}
				code := r.end(reachable)
				if code != 0 || took > f.within {
					t.Errorf("exit code %d, told after %s, want 0 within %s", code, took, f.within)
				}
				line := regexp.MustCompile(regexp.QuoteMeta(anew) + ".*").FindString(r.printed())
				if !regexp.MustCompile(f.told).MatchString(line) {
					t.Errorf("it tells %q, want %q", line, f.told)
				}
				if n := strings.Count(r.printed(), "==> build"); n != 1 {
					t.Errorf("images were built %d times", n)
				}
				r.leavesNothing(before)
				s.checkTimeline(t, "passed")
				note(row{fault: f.name, place: at.name, exit: code, told: line, gone: took, left: "nothing"})
			})
		}
	}
}

// TestNodeFailsTwice has the node of the second cluster killed as well.
func TestNodeFailsTwice(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "twice"))
	pipe, setting := newPipe(t)
	before := snapshot(t)
	r := s.start(t, started{args: []string{"e2e"}, env: []string{setting}})
	for range 2 {
		r.awaitSpecs(pipe)
		killed().happen(t, s)
	}
	code := r.end(time.Minute)
	if code != 3 || strings.Count(r.printed(), anew) != 1 {
		t.Errorf("exit code %d, want 3, and one new cluster", code)
	}
	if want := regexp.MustCompile(killed().told); !want.MatchString(told(r.printed())) {
		t.Errorf("it tells %q", told(r.printed()))
	}
	r.leavesNothing(before)
	s.checkTimeline(t, "error")
	for _, folder := range []string{"diagnose", "diagnose-rebuilt"} {
		if _, err := os.Stat(filepath.Join(s.Dir, "_artifacts", "latest", folder, "SUMMARY.md")); err != nil {
			t.Error(err)
		}
	}
	note(row{fault: "node killed twice", place: "test", exit: code, told: told(r.printed()), left: "nothing"})
}

// TestAPIServerFails kills the API server, which kubelet starts again: the run goes on.
func TestAPIServerFails(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "apiserver"))
	before := snapshot(t)
	r := s.start(t, plain(t, s))
	r.await("==> deploy")
	docker(t, "exec", nodeOf(t, s.Dir), "pkill", "-KILL", "kube-apiserver")
	code := r.end(reachable)
	if code != 0 || strings.Contains(r.printed(), anew) {
		t.Errorf("exit code %d, want 0 with the same cluster", code)
	}
	r.leavesNothing(before)
	note(row{fault: "API server killed", place: "deploy", exit: code, told: told(r.printed()), left: "nothing"})
}

// nodeOf is the name of the node of the cluster that belongs to the checkout.
func nodeOf(t *testing.T, checkout string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(checkout, ".hybrid", "*", "cluster.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the records of clusters are %q, %v", files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Config struct{ Name string }
	}
	if err := json.Unmarshal(content, &record); err != nil || record.Config.Name == "" {
		t.Fatalf("the record names no cluster: %s, %v", content, err)
	}
	return record.Config.Name + "-control-plane"
}
