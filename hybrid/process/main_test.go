package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// victimVariable tells this test program that it is to be a run with a guard, and its
// mark; stateVariable whether the run says that it is at work.
const (
	victimVariable = "HYBRID_TEST_MARK"
	stateVariable  = "HYBRID_TEST_STATE"
)

func TestMain(m *testing.M) {
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
