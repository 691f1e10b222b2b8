package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// killDelay is the Grace of a command that names none. The whole pipeline promises to stop within 5 s, so one command
// gets less than that.
const killDelay = 3 * time.Second

// tailBytes is how much of a failed command's output its error keeps.
const tailBytes = 2048

// Command is one external program to run. Only Args is mandatory.
type Command struct {
	// Args is the program and its arguments; it never passes through a shell.
	Args []string
	// Dir is the working directory; empty means that of this process.
	Dir string
	// Env is added to the environment of this process, as "KEY=value".
	Env []string
	// Stdin is the program's standard input; nil means empty input.
	Stdin io.Reader
	// Stdout receives standard output as it comes. When nil, it is collected
	// and returned by Run.
	Stdout io.Writer
	// Grace is the time between asking the command's process group to stop (SIGTERM)
	// and killing it. Zero means 3 s, and that the command is killed at once when this
	// process dies; one that is given time of its own is asked then, too.
	Grace time.Duration
	// Log receives standard error, and standard output unless Stdout is set.
	// Writes are serialised. Nil discards.
	Log io.Writer
}

// String is the command as a person would type it, for logs and errors.
func (c Command) String() string {
	quoted := make([]string, len(c.Args))
	for i, a := range c.Args {
		if a == "" || strings.ContainsAny(a, " \t\n'\"$|&;<>(){}*?#") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		quoted[i] = a
	}
	return strings.Join(quoted, " ")
}

// Runner runs external commands.
type Runner interface {
	// Run runs c to its end and returns its standard output, empty when
	// c.Stdout is set. Any failure is an *Error. When ctx ends, the whole
	// process group of the command is stopped.
	Run(ctx context.Context, c Command) ([]byte, error)
}

// Error is a command that failed.
type Error struct {
	// Args is the argument list that was run.
	Args []string
	// ExitCode is the program's exit code, or -1 when it could not be started
	// or was ended by a signal.
	ExitCode int
	// Tail is the end of the combined output, at most 2 KiB, trimmed.
	Tail string
	// Err is the cause: an *exec.ExitError, a start failure or the context's
	// cause.
	Err error
}

// Error names the command and the cause, with the end of its output.
func (e *Error) Error() string {
	msg := fmt.Sprintf("%s: %v", Command{Args: e.Args}, e.Err)
	if e.Tail != "" {
		msg += "\n" + e.Tail
	}
	return msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Exec is the Runner that starts real processes. Its zero value is ready. On Linux a
// process that it started does not survive this one, not even its death by SIGKILL; what
// the process started itself does.
type Exec struct{}

// Run implements Runner.
func (Exec) Run(ctx context.Context, c Command) ([]byte, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("command: no arguments")
	}
	if err := context.Cause(ctx); err != nil {
		return nil, &Error{Args: c.Args, ExitCode: -1, Err: err}
	}
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Stdin = c.Dir, c.Stdin
	if len(c.Env) > 0 {
		cmd.Env = append(os.Environ(), c.Env...)
	}
	// A group of its own: Ctrl-C on the terminal reaches only us, and stopping
	// the command also stops what it started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	death := syscall.SIGKILL
	if c.Grace > 0 {
		death = syscall.SIGTERM
	}
	dieWithUs(cmd.SysProcAttr, death)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = cmp.Or(c.Grace, killDelay)

	var collected bytes.Buffer
	out := &sink{log: c.Log}
	cmd.Stderr = out
	switch {
	case c.Stdout != nil:
		cmd.Stdout = c.Stdout
	default:
		cmd.Stdout = io.MultiWriter(&collected, out)
	}
	// The kernel takes the end of the thread that started the process for our death. No
	// other goroutine may run on it, and perhaps end it, as long as the process lives.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	if err == nil {
		return collected.Bytes(), nil
	}
	if cmd.Process != nil {
		// WaitDelay kills only the leader; what is left of the group goes too.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	code := -1
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return collected.Bytes(), &Error{Args: c.Args, ExitCode: code, Tail: out.tail(), Err: err}
}

// sink forwards to the log and remembers the end of what passed.
type sink struct {
	mu  sync.Mutex
	log io.Writer
	end []byte
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = append(s.end, p...)
	if extra := len(s.end) - tailBytes; extra > 0 {
		s.end = append(s.end[:0], s.end[extra:]...)
	}
	if s.log == nil {
		return len(p), nil
	}
	return s.log.Write(p)
}

func (s *sink) tail() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(s.end), ""))
}
