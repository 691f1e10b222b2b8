// Command specs runs the specs of one shard in a pod of an Indexed Job. The Job's Secret,
// mounted at the folder that is its argument, has for each index the arguments of ginkgo,
// one per line, and the environment of the specs. When they have ended it sends their
// reports, and the exit code of ginkgo, to its standard output, from which they are
// received. Its own exit code is 0 when it could.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hybrid-e2e/hybrid/hybrid/delivery"
)

// indexVariable is set by Kubernetes in the pods of an Indexed Job.
const indexVariable = "JOB_COMPLETION_INDEX"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "specs:", err)
		os.Exit(1)
	}
}

// run runs the shard of the pod.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("want one folder, got %q", args)
	}
	index := getenv(indexVariable)
	if _, err := strconv.Atoi(index); err != nil {
		return fmt.Errorf("%s=%q is no number: this is no pod of an Indexed Job", indexVariable, index)
	}
	text, err := os.ReadFile(filepath.Join(args[0], delivery.ArgsFile(index))) //nolint:gosec // The index is a number.
	if err != nil {
		return err
	}
	reports, err := os.MkdirTemp("", "reports-")
	if err != nil {
		return err
	}
	ginkgo := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	// The last argument is the program with the specs, before which options stand.
	ginkgo = slices.Insert(ginkgo, len(ginkgo)-1, "--output-dir="+reports)
	cmd := exec.CommandContext(ctx, ginkgo[0], ginkgo[1:]...) //nolint:gosec // It runs what its Job tells, that is its task.
	cmd.Env = append(os.Environ(), delivery.EnvironmentVariable+"="+filepath.Join(args[0], delivery.EnvironmentFile(index)))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err
	}
	code := strconv.Itoa(cmd.ProcessState.ExitCode())
	if err := os.WriteFile(filepath.Join(reports, delivery.ExitFile), []byte(code), 0o600); err != nil {
		return err
	}
	return delivery.Send(out, reports)
}
