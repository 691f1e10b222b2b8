package leftover

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/process"
)

// exists tells which of the paths are there.
func exists(paths ...string) (there []bool) {
	for _, p := range paths {
		_, err := os.Lstat(p)
		there = append(there, err == nil)
	}
	return there
}

func environment() [2]string {
	return [2]string{os.Getenv(process.MarkVariable), os.Getenv(tempVariable)}
}

func TestARunAtWorkIsMarked(t *testing.T) {
	temp := t.TempDir()
	t.Setenv(tempVariable, temp)
	before := environment()
	folder := filepath.Join(t.TempDir(), "runs")
	var other string
	r, err := Begin(folder, "a-run", func(n *Note) {
		other = filepath.Join(temp, "other-"+n.Mark)
		n.Folders = append(n.Folders, other)
	})
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(temp, "hybrid-"+r.Mark())
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, state := range []struct {
		change func() error
		busy   bool
	}{
		{func() error { return nil }, true}, {r.Busy, true}, {r.Idle, false}, {r.Idle, false}, {r.Busy, true}, {r.End, false},
	} {
		if err := state.change(); err != nil {
			t.Fatal(err)
		}
		want := before
		if state.busy {
			want = [2]string{r.Mark(), own}
		}
		if got := environment(); got != want {
			t.Errorf("environment %q, want %q", got, want)
		}
		if got := exists(own, r.file()); !slices.Equal(got, []bool{state.busy, state.busy}) {
			t.Errorf("busy: %t, folder and note there: %t", state.busy, got)
		}
	}
	if got := exists(other); got[0] {
		t.Error("the other folder is still there")
	}
	if _, set := os.LookupEnv(process.MarkVariable); set {
		t.Errorf("%s is still set", process.MarkVariable)
	}
}

func TestNoRun(t *testing.T) {
	var r *Run
	if err := errors.Join(r.Busy(), r.Idle(), r.End()); err != nil || r.Mark() != "" {
		t.Errorf("%v, mark %q", err, r.Mark())
	}
}

const mark = "abcdefghijklmnopqrstuvwxyz"

// killed writes the note of a run that is gone, in a folder of its own.
func killed(t *testing.T, change func(*Note)) (folder string) {
	t.Helper()
	folder = t.TempDir()
	n := Note{Run: "20261123-120000-shop", Mark: mark, Owner: process.Self()}
	n.Owner.Start--
	if change != nil {
		change(&n)
	}
	b, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, mark+suffix), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

func docker(replies map[string]command.Reply) (*engine.Engine, *command.Recorder) {
	r := &command.Recorder{Replies: replies}
	return &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}, r
}

func TestSweepRemovesWhatAKilledRunLeft(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "600")
	cmd.Env = append(os.Environ(), process.MarkVariable+"="+mark)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	temp := filepath.Join(t.TempDir(), "hybrid-"+mark)
	if err := os.MkdirAll(filepath.Join(temp, "go-build1", "b001"), 0o755); err != nil {
		t.Fatal(err)
	}
	folder := killed(t, func(n *Note) {
		n.Folders = []string{temp, filepath.Join(t.TempDir(), "scratch-"+mark)}
		n.Images = []string{"hybrid.local/base/node-root:" + mark}
	})
	e, r := docker(map[string]command.Reply{
		"docker ps --all --quiet --no-trunc --filter name=" + mark: {Stdout: "1\n2\n"},
		"docker container inspect 1 2":                             {Stdout: `[{"Id":"1"},{"Id":"2"}]`},
		"docker rm --force --volumes 1 2":                          {},
		"docker image inspect hybrid.local/base/node-root:" + mark: {Stdout: `[{"Id":"i","RepoTags":["hybrid.local/base/node-root:` + mark + `"]}]`},
		"docker image rm hybrid.local/base/node-root:" + mark:      {},
	})
	got, err := Sweep(t.Context(), folder, nil, e)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"1 process, 2 containers, 1 image, 1 folder of run 20261123-120000-shop, which was cut off"}; !slices.Equal(got, want) {
		t.Errorf("removed %q, want %q", got, want)
	}
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the process ended with %v", err)
	}
	if got := exists(temp, filepath.Join(folder, mark+suffix)); slices.Contains(got, true) {
		t.Errorf("folder and note there: %t", got)
	}
	if calls := r.Calls(); len(calls) != 5 || !strings.HasPrefix(calls[4], "docker image rm") {
		t.Errorf("calls %q", calls)
	}
}

func TestSweepIsQuietAboutARunThatLeftNothing(t *testing.T) {
	folder := killed(t, nil)
	e, _ := docker(map[string]command.Reply{"docker ps": {}})
	for range 2 {
		if got, err := Sweep(t.Context(), folder, nil, e); len(got) != 0 || err != nil {
			t.Errorf("removed %q, %v", got, err)
		}
	}
	if got, err := Sweep(t.Context(), filepath.Join(folder, "absent"), nil, e); got != nil || err != nil {
		t.Errorf("removed %q, %v", got, err)
	}
}

func TestSweepLeavesTheLivingAlone(t *testing.T) {
	e, r := docker(nil)
	alive := killed(t, func(n *Note) { n.Owner = process.Self() })
	if got, err := Sweep(t.Context(), alive, nil, e); got != nil || err != nil {
		t.Errorf("removed %q, %v", got, err)
	}
	current := killed(t, nil)
	if got, err := Sweep(t.Context(), current, &Run{note: Note{Mark: mark}}, e); got != nil || err != nil {
		t.Errorf("removed %q, %v", got, err)
	}
	if calls := r.Calls(); len(calls) != 0 {
		t.Errorf("calls %q", calls)
	}
}

// TestSweepRemovesOnlyWhatHasTheMark has a note that speaks of other things.
func TestSweepRemovesOnlyWhatHasTheMark(t *testing.T) {
	e, _ := docker(map[string]command.Reply{"docker ps": {}})
	precious := t.TempDir()
	for _, folder := range []string{precious, "relative-" + mark, "/", filepath.Join(precious, mark, "x")} {
		notes := killed(t, func(n *Note) { n.Folders = []string{folder} })
		_, err := Sweep(t.Context(), notes, nil, e)
		if want := "remove what run 20261123-120000-shop has left: " + folder + " is no folder of a run"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	notes := killed(t, func(n *Note) { n.Mark = "another" })
	if _, err := Sweep(t.Context(), notes, nil, e); err == nil || !strings.HasSuffix(err.Error(), "is no note of a run with this mark") {
		t.Errorf("error %v", err)
	}
	if got := exists(precious); !got[0] {
		t.Error("the folder is gone")
	}
}

// TestANoteThatWasCutShort comes before whatever it would have spoken of.
func TestANoteThatWasCutShort(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, mark+suffix)
	if err := os.WriteFile(file, []byte(`{"run": "2026`), 0o600); err != nil {
		t.Fatal(err)
	}
	e, _ := docker(map[string]command.Reply{"docker ps": {}})
	if got, err := Sweep(t.Context(), folder, nil, e); len(got) != 0 || err != nil {
		t.Errorf("removed %q, %v", got, err)
	}
	if exists(file)[0] {
		t.Error("the note is still there")
	}
}

func TestMountPoint(t *testing.T) {
	for line, want := range map[string]string{
		`36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`: "/mnt2",
		`36 35 98:0 / /a\040b\134c rw - proc proc rw`:                    `/a b\c`,
		`36 35`: "",
	} {
		if got := mountPoint(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestAMountKeepsAFolder(t *testing.T) {
	if err := checkMounts("/"); err == nil || !strings.Contains(err.Error(), "something is mounted on ") {
		t.Errorf("error %v", err)
	}
	if err := checkMounts(t.TempDir()); err != nil {
		t.Error(err)
	}
}
