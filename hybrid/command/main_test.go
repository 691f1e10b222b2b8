package command

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// fifoVariable tells this test program that it is to be the victim, and the name of a
// FIFO that its command holds open; graceVariable is the command's Grace.
const (
	fifoVariable  = "HYBRID_TEST_FIFO"
	graceVariable = "HYBRID_TEST_GRACE"
)

func TestMain(m *testing.M) {
	fifo := os.Getenv(fifoVariable)
	if fifo == "" {
		os.Exit(m.Run())
	}
	grace, err := time.ParseDuration(os.Getenv(graceVariable))
	if err == nil {
		_, err = Exec{}.Run(context.Background(), Command{Grace: grace, Args: []string{
			"sh", "-c", `trap 'echo asked >&9; kill $!; exit' TERM; exec 9> "$0"; echo alive >&9; sleep 5 9>&- & wait`, fifo,
		}})
	}
	fmt.Fprintln(os.Stderr, "it was to be killed first:", err)
	os.Exit(1)
}
