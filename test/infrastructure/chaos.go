package infrastructure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// errTrials says that runs did not do what they should when they were disturbed. It counts
// as specs that failed.
var errTrials = fmt.Errorf("%w: see the trials above", hybrid.ErrSpecs)

// chaosGrace is what trials get to end their runs when they are stopped themselves.
const chaosGrace = 15 * time.Second

// Chaos runs all trials of test/chaos, those too that make clusters, and shows their
// table. RUN selects some of them, as go test -run does. Whatever goes wrong has been
// printed when it returns.
func Chaos(ctx context.Context) error {
	ctx, stop := hybrid.Stoppable(ctx)
	defer stop()
	_, o, err := prepare(defaultSuite)
	if err != nil {
		return tell(err)
	}
	folder := filepath.Join(o.ArtifactsFolder(), "chaos-"+time.Now().UTC().Format("20060102-150405"))
	table := filepath.Join(folder, "table.txt")
	args := []string{"go", "test", "-tags=chaos", "-count=1", "-timeout=0", "-v"}
	if run := os.Getenv("RUN"); run != "" {
		args = append(args, "-run="+run)
	}
	_, err = command.Exec{}.Run(ctx, command.Command{
		Args: append(args, "./test/chaos"), Dir: o.Root, Env: []string{"CHAOS_TABLE=" + table}, Stdout: o.Out, Log: o.Out, Grace: chaosGrace,
	})
	text, readErr := os.ReadFile(table)
	if readErr == nil {
		fmt.Fprintf(o.Out, "\n%s\nartifacts: %s\n", text, folder)
	} else if err == nil || !errors.Is(readErr, fs.ErrNotExist) {
		err = errors.Join(err, readErr)
	}
	if exit := (*command.Error)(nil); ctx.Err() == nil && errors.As(err, &exit) && exit.ExitCode == 1 {
		err = fault.With(errTrials, "RUN='<name of the trial>' mage chaos")
	}
	return tell(err)
}
