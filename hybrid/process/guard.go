package process

import (
	_ "embed" // For the script.
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

//go:embed guard.sh
var guardScript string

// Guard is a process that outlives a run by a moment: when the run ends while it is
// busy, killed for example, the guard kills all processes that carry the run's mark.
// The kernel can be told to kill a child with its parent, but not a child's children,
// such as the spec processes of ginkgo, nor what a library starts. A nil Guard does
// nothing.
type Guard struct {
	input *os.File
	cmd   *exec.Cmd
}

// NewGuard starts the guard of the run with this mark; it is idle. Where there is no
// /proc it is nil. The caller must Close it.
func NewGuard(mark string) (*Guard, error) {
	if !hasProc() {
		return nil, nil
	}
	in, out, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	defer func() { _ = in.Close() }() // The guard has its own.
	// It is no command of the run: those end with it.
	cmd := exec.Command("/bin/sh", "-c", guardScript, "hybrid-guard", MarkVariable+"="+mark) //nolint:noctx,gosec // It outlives the run on purpose; the mark is an argument, not a part of the script.
	cmd.Dir, cmd.Stdin = "/", in
	// A run inside another one has a guard that survives the other one's end, too.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, MarkVariable+"=") })
	// No signal for the run, or for its process group, reaches it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the guard: %w", err), out.Close())
	}
	return &Guard{input: out, cmd: cmd}, nil
}

// Busy says that the run is at work from now on.
func (g *Guard) Busy() error { return g.tell("busy\n") }

// Idle says that what the run started may outlive it from now on.
func (g *Guard) Idle() error { return g.tell("idle\n") }

func (g *Guard) tell(word string) error {
	if g == nil {
		return nil
	}
	if _, err := io.WriteString(g.input, word); err != nil {
		return fmt.Errorf("tell the guard: %w", err)
	}
	return nil
}

// Close ends the guard and waits for it. When it is busy, it does its work first.
func (g *Guard) Close() error {
	if g == nil {
		return nil
	}
	return errors.Join(g.input.Close(), g.cmd.Wait())
}
