package command

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRunReturnsOutputAndLogsBoth(t *testing.T) {
	var log bytes.Buffer
	out, err := Exec{}.Run(t.Context(), Command{
		Args: []string{"sh", "-c", `cat; echo "$NAME"; echo oops >&2`}, Env: []string{"NAME=hybrid"}, Stdin: strings.NewReader("in "), Log: &log,
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != "in hybrid\n" {
		t.Errorf("output %q", out)
	}
	// The two streams reach the log in either order.
	if got := log.String(); !strings.Contains(got, "hybrid\n") || !strings.Contains(got, "oops\n") {
		t.Errorf("log %q", got)
	}
}

func TestFailureTellsCommandCodeAndTail(t *testing.T) {
	_, err := Exec{}.Run(t.Context(), Command{Args: []string{"sh", "-c", "echo why >&2; exit 7"}})
	var failed *Error
	if !errors.As(err, &failed) {
		t.Fatalf("error %v", err)
	}
	if failed.ExitCode != 7 || failed.Tail != "why" {
		t.Errorf("code %d, tail %q", failed.ExitCode, failed.Tail)
	}
	if want := "sh -c 'echo why >&2; exit 7': exit status 7\nwhy"; err.Error() != want {
		t.Errorf("message %q, want %q", err, want)
	}
}

func TestTailIsBounded(t *testing.T) {
	_, err := Exec{}.Run(t.Context(), Command{Args: []string{"sh", "-c", "yes line | head -c 100000; echo last; exit 1"}})
	var failed *Error
	if !errors.As(err, &failed) {
		t.Fatalf("error %v", err)
	}
	if len(failed.Tail) > tailBytes || !strings.HasSuffix(failed.Tail, "last") {
		t.Errorf("tail of %d bytes ends in %q", len(failed.Tail), failed.Tail[max(0, len(failed.Tail)-10):])
	}
}

func TestMissingProgram(t *testing.T) {
	_, err := Exec{}.Run(t.Context(), Command{Args: []string{"/does/not/exist"}})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := (Exec{}).Run(t.Context(), Command{}); err == nil {
		t.Error("an empty command ran")
	}
}

// TestCancelStopsTheWholeGroup cancels while a grandchild that ignores SIGTERM
// runs. The grandchild holds a pipe open, whose end tells that it is gone.
func TestCancelStopsTheWholeGroup(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("stopped by the test")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Exec{}.Run(ctx, Command{Args: []string{
			"sh", "-c", `sh -c 'trap "" TERM; exec 9> "$0"; echo alive >&9; while :; do read -r x < /dev/zero; done' ` + fifo + ` & wait`,
		}})
		done <- err
	}()
	f, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	alive := bufio.NewReader(f)
	if line, err := alive.ReadString('\n'); line != "alive\n" {
		t.Fatalf("the grandchild said %q, %v", line, err)
	}
	start := time.Now()
	cancel(stopped)
	if err := <-done; !errors.Is(err, stopped) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > killDelay+2*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if err := f.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(alive); err != nil || len(rest) != 0 {
		t.Errorf("the grandchild is still there: %q, %v", rest, err)
	}
}

func TestRecorder(t *testing.T) {
	r := &Recorder{Replies: map[string]Reply{"docker": {Stdout: "any"}, "docker ps": {Stdout: "none"}}}
	out, err := r.Run(t.Context(), Command{Args: []string{"docker", "ps", "-a"}, Stdin: strings.NewReader("x")})
	if err != nil || string(out) != "none" {
		t.Errorf("longest prefix: %q, %v", out, err)
	}
	if _, err := r.Run(t.Context(), Command{Args: []string{"podman"}}); err == nil {
		t.Error("a command without a reply succeeded")
	}
	if calls := r.Calls(); len(calls) != 2 || calls[0] != "docker ps -a" || r.Stdin()[0] != "x" {
		t.Errorf("calls %q", calls)
	}
}
