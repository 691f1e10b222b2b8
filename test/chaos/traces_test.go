package chaos

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/process"
)

// lookEvery paces the looks at what a run left: nothing tells of a process that has
// gone which this one did not start.
const lookEvery = 50 * time.Millisecond

// traces are what runs leave: processes, and what the engine and the disk hold.
type traces map[string]bool

// look lists processes of runs, containers, networks and volumes, and the entries of
// the folder temp.
func look(ctx context.Context, temp string) (traces, error) {
	seen := traces{}
	pids, err := markedProcesses()
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		seen["process "+pid] = true
	}
	for kind, args := range map[string][]string{
		"container": {"ps", "--all", "--format", "{{.Names}} {{.ID}}"},
		"network":   {"network", "ls", "--format", "{{.Name}} {{.ID}}"},
		"volume":    {"volume", "ls", "--format", "{{.Name}}"},
	} {
		out, err := exec.CommandContext(ctx, "docker", args...).Output()
		if err != nil {
			return nil, fmt.Errorf("docker %s: %w", strings.Join(args, " "), err)
		}
		for line := range strings.Lines(string(out)) {
			seen[kind+" "+strings.TrimSpace(line)] = true
		}
	}
	entries, err := os.ReadDir(temp)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		seen["temporary "+e.Name()] = true
	}
	return seen, nil
}

// markedProcesses are those of any run, as id and program.
func markedProcesses() ([]string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, file := range files {
		environment, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(environment, []byte(process.MarkVariable+"=")) {
			continue
		}
		program, err := os.Readlink(filepath.Join(filepath.Dir(file), "exe"))
		if err != nil {
			continue // It has ended.
		}
		found = append(found, filepath.Base(filepath.Dir(file))+" "+filepath.Base(program))
	}
	return found, nil
}

// beyond lists what is in t and not in before.
func (t traces) beyond(before traces) []string {
	var more []string
	for what := range t {
		if !before[what] {
			more = append(more, what)
		}
	}
	slices.Sort(more)
	return more
}

// cleanAfter waits until nothing is left beyond before, and returns how long that took
// since the moment at and, once within is over, what is still there.
func cleanAfter(t *testing.T, before traces, temp string, at time.Time, within time.Duration) (time.Duration, []string) {
	t.Helper()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		now, err := look(t.Context(), temp)
		if err != nil {
			t.Fatal(err)
		}
		left := now.beyond(before)
		if took := time.Since(at); len(left) == 0 || took > within {
			return took, left
		}
		<-tick.C
	}
}

// leavesNothing looks whether anything is left of a run that has ended.
func (r *run) leavesNothing(before traces) {
	r.t.Helper()
	if _, left := cleanAfter(r.t, before, r.temp, time.Now(), 0); len(left) > 0 {
		r.t.Errorf("there is still\n%s", strings.Join(left, "\n"))
	}
}

// snapshot looks before a run that has the folder temp.
func snapshot(t *testing.T) traces {
	t.Helper()
	seen, err := look(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return seen
}
