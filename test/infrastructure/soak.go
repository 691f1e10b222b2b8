package infrastructure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/soak"
)

// Soak runs the suite that SUITE names runs times, each time in a fresh process of this
// program, and shows a table of times and disk use. It ends with the first run that
// fails, unless keepGoing is set. Whatever goes wrong has been printed when it returns.
func Soak(ctx context.Context, runs int, keepGoing bool) error {
	ctx, stop := hybrid.Stoppable(ctx)
	defer stop()
	suite, o, err := prepare(suiteName())
	if err != nil {
		return tell(err)
	}
	if runs < 1 {
		return tell(fault.With(fmt.Errorf("a soak of %d runs", runs), "mage soak 10"))
	}
	program, err := os.Executable()
	if err != nil {
		return tell(err)
	}
	e, err := engine.Detect(ctx, command.Exec{}, o.Engine)
	if err != nil {
		return tell(err)
	}
	folder := filepath.Join(o.ArtifactsFolder(), "soak-"+time.Now().UTC().Format("20060102-150405"))
	report, err := soak.Repeat(ctx, soak.Options{
		Runs: runs, Suite: suite.Name, Args: []string{program, "e2e:suite", suite.Name}, Dir: o.Root, Folder: folder,
		State: filepath.Join(o.Root, cluster.StateFolder), Runner: command.Exec{}, Engine: e, KeepGoing: keepGoing, Out: o.Out,
	})
	if ctx.Err() == nil {
		// Else it has been shown when the soak was told to stop.
		fmt.Fprintf(o.Out, "\n%s", report.Table())
	}
	fmt.Fprintf(o.Out, "artifacts: %s\n", folder)
	return tell(soaked(err))
}

// soaked gives a soak the exit code of its first run that failed: 1 when specs did. It
// is 1, too, when all passed and disk use was not flat.
func soaked(err error) error {
	if err == nil {
		return nil
	}
	var failed *soak.FailedError
	switch {
	case errors.As(err, &failed) && failed.ExitCode == ExitCode(hybrid.ErrSpecs):
		return missed{err}
	case failed == nil && errors.Is(err, soak.ErrNotFlat):
		return missed{err}
	}
	return err
}

// missed is an error that is also ErrMissed, without saying so.
type missed struct{ error }

func (m missed) Unwrap() []error { return []error{m.error, ErrMissed} }
