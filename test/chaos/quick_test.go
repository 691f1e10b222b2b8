package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goFolders are the settings that the toolchain and mage derive from HOME elsewhere.
func goFolders(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	folders := strings.Fields(string(out))
	if len(folders) != 3 {
		t.Fatalf("the toolchain's folders are %q", folders)
	}
	return []string{"GOCACHE=" + folders[0], "GOMODCACHE=" + folders[1], "GOPATH=" + folders[2], "MAGEFILE_CACHE=" + t.TempDir()}
}

// TestPreflight has runs begin in surroundings that are unusual, or wrong. None of them
// comes to a cluster or an image.
func TestPreflight(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "Ein Ordner für 配置"))
	long := strings.Repeat("very-", 12) + "long"
	for _, c := range []struct {
		name string
		env  []string
		edit func(t *testing.T)
		exit int
		told []string
	}{
		{"a path with spaces and other letters", nil, nil, 0, []string{`✓ suite`}},
		{"no HOME", append(goFolders(t), "HOME="), nil, 0, []string{`✓ suite`}},
		{"locale C", []string{"LC_ALL=C", "LANG=C"}, nil, 0, []string{`suite +\d`}},
		{
			"no engine",
			[]string{"DOCKER_HOST=unix://" + filepath.Join(t.TempDir(), "none.sock"), "CONTAINER_ENGINE=docker"},
			nil, 3,
			[]string{`FAILED +preflight: engine`, `none\.sock`, `next +go run magefile.go setup`},
		},
		{"an engine that is not known", []string{"CONTAINER_ENGINE=cockle"}, nil, 3, []string{`CONTAINER_ENGINE="cockle": want one of docker, podman`}},
		{"a number that is none", []string{"WORKERS=many", "KEEP_CLUSTER=perhaps"}, nil, 3, []string{`WORKERS="many"`, `KEEP_CLUSTER="perhaps"`}},
		{
			"a name that is too long", nil,
			func(t *testing.T) { s.edit(t, "suite.json", `"name":"`+s.Suite().Name+`"`, `"name":"`+long+`"`) }, 3,
			[]string{`FAILED +preflight: suite`, long},
		},
		{
			"a manifest that is none", nil,
			func(t *testing.T) { s.edit(t, "manifests/service-02/service-02.yaml", "kind: Deployment", "kind: [") }, 3,
			[]string{`service-02\.yaml`},
		},
		{
			"a Dockerfile that copies what is not there", nil,
			func(t *testing.T) {
				s.edit(t, "docker/service-02.Dockerfile", "COPY --chmod=755 services/service-02", "COPY services/none")
			}, 3,
			[]string{`service-02\.Dockerfile`, `services/none`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.edit != nil {
				c.edit(t)
			}
			r := s.start(t, started{args: []string{"preflight"}, env: c.env})
			if code := r.end(reachable); code != c.exit {
				t.Errorf("exit code %d, want %d", code, c.exit)
			}
			for _, want := range c.told {
				if !regexp.MustCompile(want).MatchString(r.printed()) {
					t.Errorf("it does not tell %q", want)
				}
			}
			entries, err := os.ReadDir(r.temp)
			if err != nil || len(entries) > 0 {
				t.Errorf("it left %v in the folder for temporary files, %v", entries, err)
			}
			note(row{fault: c.name, place: "preflight", exit: c.exit, told: told(r.printed()), left: "nothing"})
		})
	}
}

func TestTracesAreSeen(t *testing.T) {
	temp := t.TempDir()
	before, err := markedProcesses()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	cmd.Env = append(os.Environ(), "HYBRID_RUN=abc")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	after, err := markedProcesses()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err != nil || len(after) != len(before)+1 {
		t.Errorf("marked were %q and are %q, %v", before, after, err)
	}
	was := traces{"container a": true}
	now := traces{"container a": true, "temporary " + filepath.Base(temp): true, "network b": true}
	if got, want := strings.Join(now.beyond(was), "; "), "network b; temporary "+filepath.Base(temp); got != want {
		t.Errorf("left is %q, want %q", got, want)
	}
}
