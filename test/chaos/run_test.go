package chaos

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

const (
	// reachable bounds how long a run takes to the place where it is disturbed, on a
	// machine with two processors that compiles the targets first.
	reachable = 3 * time.Minute
	// stopBudget is what a run has to end that was told to, as docs promise.
	stopBudget = 5 * time.Second
)

// output keeps what a run prints, and wakes those who wait for a part of it.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

// look returns what there is, and a channel that is closed when there is more.
func (o *output) look() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

// run is one mage process, in a process group of its own as a shell would give it.
type run struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   *output
	temp  string
	ended chan struct{}
	// terminal is the controlling terminal, nil for a run without.
	terminal *os.File
}

// started are the settings of a run.
type started struct {
	args     []string
	env      []string
	terminal bool
	dir      string // Empty means the repository.
	program  string // Empty means mage.
}

// start starts mage in the repository. Whatever the test does, it is gone in the end.
func (s *site) start(t *testing.T, o started) *run {
	t.Helper()
	r := &run{t: t, out: newOutput(), temp: t.TempDir(), ended: make(chan struct{})}
	if o.program == "" {
		o.program = mage(t)
	}
	r.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), o.program, o.args...)
	r.cmd.Dir = s.Dir
	if o.dir != "" {
		r.cmd.Dir = o.dir
	}
	r.cmd.Env = append(append(os.Environ(), "TMPDIR="+r.temp), o.env...)
	if o.terminal {
		terminal, err := pty.Start(r.cmd) // It has a session of its own, and so a group.
		if err != nil {
			t.Fatal(err)
		}
		r.terminal = closable(t, terminal)
		go func() { _, _ = io.Copy(r.out, r.terminal) }()
	} else {
		r.cmd.Stdout, r.cmd.Stderr = r.out, r.out
		r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		r.cmd.WaitDelay = time.Second
		if err := r.cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		_ = r.cmd.Wait() // ProcessState tells.
		close(r.ended)
	}()
	t.Cleanup(func() {
		// A trial that failed leaves nothing behind either.
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT)
		select {
		case <-r.ended:
		case <-time.After(2 * stopBudget):
			_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
			<-r.ended
		}
		if t.Failed() {
			text, _ := r.out.look()
			t.Logf("mage %s printed\n%s", strings.Join(o.args, " "), text)
		}
	})
	return r
}

// closable returns the terminal as a file whose end does not wait for those who read.
func closable(t *testing.T, terminal *os.File) *os.File {
	t.Helper()
	fd, err := syscall.Dup(int(terminal.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.SetNonblock(fd, true), terminal.Close()); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), terminal.Name())
}

// await returns when the run has printed text.
func (r *run) await(text string) {
	r.t.Helper()
	timeout := time.After(reachable)
	for {
		printed, more := r.out.look()
		if strings.Contains(printed, text) {
			return
		}
		select {
		case <-more:
		case <-r.ended:
			if printed, _ = r.out.look(); !strings.Contains(printed, text) {
				r.t.Fatalf("it ended with %s and never printed %q", r.cmd.ProcessState, text)
			}
		case <-timeout:
			r.t.Fatalf("it did not print %q", text)
		}
	}
}

// signal sends a signal to the whole group, as a terminal does.
func (r *run) signal(s syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(-r.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		r.t.Fatal(err)
	}
}

// end waits for the end of the run and returns its exit code, 128 and the signal's
// number when a signal ended it.
func (r *run) end(within time.Duration) int {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(within):
		r.t.Fatalf("it has not ended within %s", within)
	}
	status, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return r.cmd.ProcessState.ExitCode()
}

// printed is what the run has printed so far.
func (r *run) printed() string {
	text, _ := r.out.look()
	return text
}

// awaitSpecs returns when the specs write to the pipe: they are at work.
func (r *run) awaitSpecs(pipe string) {
	r.t.Helper()
	reading := make(chan error, 1)
	go func() {
		_, err := os.ReadFile(pipe) // It waits for a writer.
		reading <- err
	}()
	select {
	case err := <-reading:
		if err != nil {
			r.t.Fatal(err)
		}
	case <-r.ended:
		r.t.Fatalf("it ended with %s before its specs", r.cmd.ProcessState)
	case <-time.After(reachable):
		r.t.Fatal("the specs have not begun")
	}
}

// free lets the specs of the pipe go from now on, as soon as somebody reads it.
func free(t *testing.T, pipe string) {
	t.Helper()
	if err := os.WriteFile(pipe+".free", nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// newPipe makes the pipe and returns the setting that tells the specs of it.
func newPipe(t *testing.T) (pipe, setting string) {
	t.Helper()
	pipe = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	return pipe, "CHAOS_PIPE=" + pipe
}

// told is the first line in which a run says why it ended.
func told(printed string) string {
	for line := range strings.Lines(printed) {
		if cause, found := strings.CutPrefix(strings.TrimSpace(line), "cause"); found {
			return strings.TrimSpace(cause)
		}
	}
	return ""
}
