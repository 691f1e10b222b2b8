package process

import (
	"bufio"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// victim is a run in a process of its own.
type victim struct {
	*exec.Cmd
	mark string
	// alive ends when no process of the run is left.
	alive *os.File
}

func startVictim(t *testing.T, state string) *victim {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{Cmd: exec.CommandContext(t.Context(), os.Args[0]), mark: strings.ToLower(rand.Text()), alive: in}
	v.Env = append(os.Environ(), victimVariable+"="+v.mark, stateVariable+"="+state)
	v.Stderr, v.ExtraFiles = os.Stderr, []*os.File{out}
	if err := v.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if line, err := bufio.NewReader(in).ReadString('\n'); line != "alive\n" {
		t.Fatalf("the process said %q, %v", line, err)
	}
	return v
}

// end tells whether all processes of the run end within the time.
func (v *victim) end(t *testing.T, within time.Duration) bool {
	t.Helper()
	if err := v.alive.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(v.alive)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) || len(rest) > 0 {
		t.Fatalf("read %q, %v", rest, err)
	}
	return err == nil
}

// TestTheProcessesOfARunEndWithIt kills a run, as nothing can forestall.
func TestTheProcessesOfARunEndWithIt(t *testing.T) {
	v := startVictim(t, "busy")
	if pids, err := Marked(v.mark); err != nil || len(pids) < 2 {
		t.Errorf("marked are %v, %v", pids, err)
	}
	if err := v.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !v.end(t, 10*time.Second) {
		t.Error("a process of the run is left")
	}
	if err := v.Wait(); err == nil {
		t.Error("the run was not killed")
	}
}

// TestWhatAnIdleRunStartedSurvivesIt, until it is killed by its mark.
func TestWhatAnIdleRunStartedSurvivesIt(t *testing.T) {
	v := startVictim(t, "idle")
	if err := v.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := v.Wait(); err == nil {
		t.Error("the run was not killed")
	}
	if v.end(t, 300*time.Millisecond) {
		t.Error("the guard killed what an idle run had started")
	}
	n, err := KillMarked(t.Context(), v.mark)
	if n < 2 || err != nil {
		t.Errorf("killed %d, %v", n, err)
	}
	if !v.end(t, 10*time.Second) {
		t.Error("a process of the run is left")
	}
	if n, err := KillMarked(t.Context(), v.mark); n != 0 || err != nil {
		t.Errorf("killed %d more, %v", n, err)
	}
}

func TestAGuardEndsWithClose(t *testing.T) {
	g, err := NewGuard(strings.ToLower(rand.Text()))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{g.Busy, g.Idle, g.Busy, g.Close} {
		if err := step(); err != nil {
			t.Error(err)
		}
	}
	if err := g.cmd.Process.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the guard is still there: %v", err)
	}
	if err := g.Busy(); err == nil || !strings.HasPrefix(err.Error(), "tell the guard: ") {
		t.Errorf("error %v", err)
	}
	var none *Guard
	if err := errors.Join(none.Busy(), none.Idle(), none.Close()); err != nil {
		t.Error(err)
	}
}

// TestTheGuardOfARunInsideAnotherSurvivesIt looks at the guard's own mark.
func TestTheGuardOfARunInsideAnotherSurvivesIt(t *testing.T) {
	t.Setenv(MarkVariable, "outer")
	g, err := NewGuard("inner")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, v := range g.cmd.Env {
		if strings.HasPrefix(v, MarkVariable+"=") {
			t.Errorf("the guard carries %s", v)
		}
	}
}
