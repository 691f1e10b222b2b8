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

// fault is something that is wrong with what a run works on.
type fault struct {
	name, place string
	// brk brings it about before the run.
	brk func(t *testing.T, s *site) started
	// told is what the output must have, as regular expressions.
	told []string
	exit int
	// within is what the phase at fault may take, in which a timeout must not be what
	// ends it.
	within time.Duration
}

const (
	dockerfile = "docker/service-01.Dockerfile"
	manifest   = "manifests/service-01/service-01.yaml"
)

func faults() []fault {
	edit := func(name, old, with string) func(*testing.T, *site) started {
		return func(t *testing.T, s *site) started {
			s.edit(t, name, old, with)
			return plain(t, s)
		}
	}
	inFinal := func(command string) func(*testing.T, *site) started {
		return edit(dockerfile, "USER 1001:0\n", "RUN "+command+"\nUSER 1001:0\n")
	}
	return []fault{
		{
			"a Dockerfile that fails", "build", inFinal("echo there is no room for it >&2; exit 7"),
			[]string{`image\.chaos-\w+-01`, `there is no room for it`, `exit code: 7`, `next +\S`},
			3, 30 * time.Second,
		},
		{
			"a Dockerfile that prints a megabyte a second, then fails", "build",
			inFinal(`for i in 1 2 3 4 5; do head -c 1048576 /dev/zero | tr '\0' 'x' | fold -w 1000; sleep 1; done; exit 7`),
			[]string{`image\.chaos-\w+-01`, `exit code: 7`},
			3, 60 * time.Second,
		},
		{
			"a manifest with an image that nobody builds", "preflight", edit(manifest, "image: hybrid.local/chaos-", "image: hybrid.local/other-"),
			[]string{`other-`, `service-01\.yaml`},
			3, 5 * time.Second,
		},
		{
			"a request that no node can meet", "deploy", edit(manifest, "cpu: 5m", "cpu: 500"),
			[]string{`deploy: deploy\.service-01`, `Insufficient cpu`},
			3, 15 * time.Second,
		},
		{
			"a crash loop", "deploy", edit(dockerfile, `ENTRYPOINT ["/usr/local/bin/server"]`, `ENTRYPOINT ["/bin/sh", "-c", "echo the page is torn; exit 9"]`),
			[]string{`deploy: deploy\.service-01`, `exit(ed)?( with)?( code)? 9`, `the page is torn`},
			// It crashes three times before that is no accident, and kubelet waits 10 and 20 s.
			3, 60 * time.Second,
		},
		{
			"a probe that fails", "deploy", edit(manifest, "path: /\n              port: http", "path: /\n              port: 9"),
			[]string{`deploy: deploy\.service-01`, `[Rr]eadiness probe failed`, `refused`},
			3, 60 * time.Second,
		},
	}
}

// TestFaultsInTheRepository has runs find what is wrong with Dockerfiles and manifests.
func TestFaultsInTheRepository(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "faults"))
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			o := f.brk(t, s)
			before := snapshot(t)
			r := s.start(t, o)
			r.await("==> " + f.place)
			began := time.Now()
			r.await("FAILED")
			took := time.Since(began)
			code := r.end(time.Minute)
			if code != f.exit || took > f.within {
				t.Errorf("exit code %d after %s in %s, want %d within %s", code, took, f.place, f.exit, f.within)
			}
			for _, want := range f.told {
				if !regexp.MustCompile(want).MatchString(r.printed()) {
					t.Errorf("it does not tell %q", want)
				}
			}
			result := row{fault: f.name, place: f.place, exit: code, told: told(r.printed()), gone: took, left: "nothing"}
			if _, left := cleanAfter(t, before, r.temp, time.Now(), 0); len(left) > 0 {
				t.Errorf("there is still\n%s", strings.Join(left, "\n"))
			}
			if f.place == "deploy" {
				s.checkEvidence(t)
			}
			note(result)
		})
	}
}

// checkEvidence looks whether a failure in a cluster is explained, cause first.
func (s *site) checkEvidence(t *testing.T) {
	t.Helper()
	dir := filepath.Join(s.Dir, "_artifacts", "latest", "diagnose")
	summary, err := os.ReadFile(filepath.Join(dir, "SUMMARY.md"))
	if err != nil {
		t.Error(err)
		return
	}
	if !strings.Contains(string(summary), "service-01") {
		t.Errorf("the summary does not name the workload:\n%s", summary)
	}
}

// TestNodeTrouble disturbs the node while specs are at work.
func TestNodeTrouble(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "node"))
	for _, f := range []struct {
		name string
		do   []string // Arguments of the engine's command, before the name of the node.
		told []string
	}{
		{"node killed", []string{"kill"}, []string{`control-plane`, `exit code 137`}},
		{"node paused", []string{"pause"}, []string{`control-plane`, `paused`}},
		{"node stopped", []string{"stop", "--time", "1"}, []string{`control-plane`, `exit code`}},
	} {
		t.Run(f.name, func(t *testing.T) {
			pipe, setting := newPipe(t)
			before := snapshot(t)
			r := s.start(t, started{args: []string{"e2e"}, env: []string{setting}})
			r.awaitSpecs(pipe)
			began := time.Now()
			node := nodeOf(t, s.Dir)
			if out, err := exec.CommandContext(t.Context(), "docker", append(f.do, node)...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			r.await("FAILED")
			took := time.Since(began)
			code := r.end(time.Minute)
			// Evidence of a node that says nothing is waited for, 15 s at most.
			if code != 3 || took > 20*time.Second {
				t.Errorf("exit code %d after %s, want 3 within 20s", code, took)
			}
			for _, want := range f.told {
				if !regexp.MustCompile(want).MatchString(r.printed()) {
					t.Errorf("it does not tell %q", want)
				}
			}
			if _, left := cleanAfter(t, before, r.temp, time.Now(), 0); len(left) > 0 {
				t.Errorf("there is still\n%s", strings.Join(left, "\n"))
			}
			note(row{fault: f.name, place: "test", exit: code, told: told(r.printed()), gone: took, left: "nothing"})
		})
	}
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
