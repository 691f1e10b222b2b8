//go:build chaos

package chaos

import (
	"os"
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
	// silent says that no container has printed anything.
	silent bool
}

const (
	dockerfile = "docker/service-01.Dockerfile"
	manifest   = "manifests/service-01/service-01.yaml"
	// entrypoint is how the image starts its server.
	entrypoint = `ENTRYPOINT ["/usr/local/bin/server"]`
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
			3, 30 * time.Second, false,
		},
		{
			"a Dockerfile that prints a megabyte a second, then fails", "build",
			inFinal(`for i in 1 2 3 4 5; do head -c 1048576 /dev/zero | tr '\0' 'x' | fold -w 1000; sleep 1; done; exit 7`),
			[]string{`image\.chaos-\w+-01`, `exit code: 7`},
			3, 60 * time.Second, false,
		},
		{
			"a Dockerfile that hangs", "build",
			func(t *testing.T, s *site) started {
				o := inFinal("echo waiting for nobody && sleep 600")(t, s)
				o.env = []string{"BUILD_TIMEOUT=15s"}
				return o
			},
			[]string{`image\.chaos-\w+-01`, `it did not end within 15s`, `waiting for nobody`, `BUILD_TIMEOUT=`},
			3, 20 * time.Second, false,
		},
		{
			"a manifest with an image that nobody builds", "preflight", edit(manifest, "image: hybrid.local/chaos-", "image: hybrid.local/other-"),
			[]string{`other-`, `service-01\.yaml`},
			3, 5 * time.Second, false,
		},
		{
			"a request that no node can meet", "deploy", edit(manifest, "cpu: 5m", "cpu: 500"),
			[]string{`deploy: deploy\.service-01`, `Insufficient cpu`},
			3, 15 * time.Second, true,
		},
		{
			"a crash loop", "deploy", edit(dockerfile, entrypoint, `ENTRYPOINT ["/bin/sh", "-c", "echo the page is torn; exit 9"]`),
			[]string{`deploy: deploy\.service-01`, `exit(ed)?( with)?( code)? 9`, `the page is torn`},
			// It crashes three times before that is no accident, and kubelet waits 10 and 20 s.
			3, 60 * time.Second, false,
		},
		{
			"a process that takes more memory than its limit", "deploy",
			edit(dockerfile, entrypoint, `ENTRYPOINT ["/bin/sh", "-c", "head -c 100000000 /dev/zero | tail"]`),
			[]string{`deploy: deploy\.service-01`, `OOMKilled`},
			3, 60 * time.Second, false,
		},
		{
			"a probe that fails", "deploy", edit(manifest, "path: /\n              port: http", "path: /\n              port: 9"),
			[]string{`deploy: deploy\.service-01`, `[Rr]eadiness probe failed`, `refused`},
			3, 60 * time.Second, true,
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
			r.leavesNothing(before)
			if f.place == "deploy" {
				s.checkEvidence(t, f.silent)
				if files, err := filepath.Glob(filepath.Join(s.Dir, "_artifacts", "latest", "diagnose", "chaos", "not-ready", "*.yaml")); err != nil || len(files) == 0 {
					t.Errorf("no pod is told to be not ready, %v", err)
				}
			}
			note(result)
		})
	}
}

// evidence is what explains a failure in a cluster, as patterns of file names. A pod that
// is not ready is told of as well.
func evidence() []string {
	return []string{
		"SUMMARY.md", "nodes.txt", "chaos/pods.txt", "chaos/events.txt", "chaos/logs/*.log", "kube-system/logs/*.log",
		"nodes/*/journal.log", "nodes/*/kubelet.log", "nodes/*/containerd.log", "nodes/*/inspect.json", "nodes/*/disk.txt", "nodes/*/memory.txt",
	}
}

// checkEvidence looks whether a failure in a cluster is explained, cause first, and how
// long the collection took.
func (s *site) checkEvidence(t *testing.T, silent bool) {
	t.Helper()
	dir := filepath.Join(s.Dir, "_artifacts", "latest", "diagnose")
	for _, pattern := range evidence() {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			if !silent || pattern != "chaos/logs/*.log" {
				t.Errorf("there is no evidence %s, %v", pattern, err)
			}
			continue
		}
		if info, err := os.Stat(files[0]); err != nil || info.Size() == 0 {
			t.Errorf("%s is empty, %v", files[0], err)
		}
	}
	summary, err := os.ReadFile(filepath.Join(dir, "SUMMARY.md"))
	first, _, _ := strings.Cut(string(summary), "\n")
	if err != nil || !strings.HasPrefix(first, "The run failed: ") {
		t.Errorf("the summary begins with %q, %v", first, err)
	}
}
