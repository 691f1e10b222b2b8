package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// victimVariable tells this test program that it is to be a run with a guard, and its
// mark; stateVariable whether the run says that it is at work.
const (
	victimVariable = "HYBRID_TEST_MARK"
	stateVariable  = "HYBRID_TEST_STATE"
	// orphanVariable tells it that its parent is going to be killed.
	orphanVariable = "HYBRID_TEST_ORPHAN"
)

// beOrphan says when it waits for its parent's end, and which signal told of it.
func beOrphan() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	if err := EndWithParent(); err != nil {
		fmt.Fprintln(os.Stdout, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, "ready")
	fmt.Fprintln(os.Stdout, <-signals)
	return 0
}

func TestMain(m *testing.M) {
	if os.Getenv(orphanVariable) != "" {
		os.Exit(beOrphan())
	}
	mark := os.Getenv(victimVariable)
	if mark == "" {
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, "it was to be killed first:", beVictim(mark))
	os.Exit(1)
}

// beVictim runs a command whose child has a process group and a session of its own, and
// holds the pipe open that is descriptor 3 of this process.
func beVictim(mark string) error {
	guard, err := NewGuard(mark)
	if err != nil {
		return err
	}
	if os.Getenv(stateVariable) == "busy" {
		if err := guard.Busy(); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(context.Background(), "sh", "-c", `setsid sh -c 'echo alive >&3; exec sleep 60' & wait`)
	cmd.Env = append(os.Environ(), MarkVariable+"="+mark)
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "pipe")}
	return cmd.Run()
}
