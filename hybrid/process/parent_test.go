package process

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTheEndOfTheParentIsTold has a process start one that asks for the signal, and kills
// the former.
func TestTheEndOfTheParentIsTold(t *testing.T) {
	if runtime.GOOS != "linux" {
		if err := EndWithParent(); err != nil {
			t.Error(err)
		}
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The shell stays: something follows the program.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `"$0"; true`, program)
	cmd.Env = append(os.Environ(), orphanVariable+"=1")
	told, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(told)
	if line, err := lines.ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
		t.Fatalf("it said %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	answer := make(chan string, 1)
	go func() {
		line, _ := lines.ReadString('\n') // What was read is compared.
		answer <- strings.TrimSpace(line)
	}()
	select {
	case got := <-answer:
		if got != "terminated" {
			t.Errorf("it said %q", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("it was told nothing")
	}
	_ = cmd.Wait() // It was killed.
}
