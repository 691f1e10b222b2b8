package infrastructure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/process"
	"github.com/hybrid-e2e/hybrid/hybrid/progress"
	"github.com/hybrid-e2e/hybrid/hybrid/verify"
)

// defaultSuite is what the phase targets work on unless SUITE names another.
const defaultSuite = "gateway"

// sharedSuite is what the suites are called that have one cluster together.
const sharedSuite = "all"

// Session is the run that the phase targets of one process share. Its zero
// value is ready; the suite is named by SUITE.
type Session struct {
	once     sync.Once
	pipeline *hybrid.Pipeline
	err      error
}

// Step runs one phase of the session's pipeline and prints what went wrong.
func (s *Session) Step(ctx context.Context, phase func(*hybrid.Pipeline, context.Context) error) error {
	ctx, stop := hybrid.Stoppable(ctx)
	defer stop()
	s.once.Do(func() {
		suite, o, err := prepare(suiteName())
		if err != nil {
			s.err = tell(err)
			return
		}
		s.pipeline, s.err = hybrid.Open(ctx, suite, o)
	})
	if s.err != nil {
		return s.err
	}
	return s.pipeline.Step(ctx, func(ctx context.Context) error { return phase(s.pipeline, ctx) })
}

// Down deletes the clusters of this checkout and names each. With all, it also deletes
// those of other checkouts that nobody has a claim to, and names those that it leaves
// alone.
func (s *Session) Down(ctx context.Context, all bool) error {
	ctx, stop := hybrid.Stoppable(ctx)
	defer stop()
	_, o, err := prepare(defaultSuite)
	if err != nil {
		return tell(err)
	}
	if s.pipeline != nil {
		// The phases that ran before in this process hold the checkout.
		s.pipeline.Release()
	}
	return hybrid.ShowDown(ctx, o, all)
}

// Status shows the clusters of this checkout and of the user's other ones, as a table
// or, with asJSON, for programs.
func Status(ctx context.Context, asJSON bool) error {
	_, o, err := prepare(defaultSuite)
	if err != nil {
		return tell(err)
	}
	return hybrid.ShowStatus(ctx, o, asJSON)
}

// Images shows the pipeline's images that the engine holds, as a table or, with asJSON, for
// programs.
func Images(ctx context.Context, asJSON bool) error {
	_, o, err := prepare(defaultSuite)
	if err != nil {
		return tell(err)
	}
	return hybrid.ShowImages(ctx, o, asJSON, append(All(), hybrid.Shared("all", All()...)...)...)
}

// Refresh publishes the images of all suites, and the bases below them, with the security
// updates of the epoch.
func Refresh(ctx context.Context) error {
	_, o, err := prepare(defaultSuite)
	if err != nil {
		return tell(err)
	}
	return hybrid.Refresh(ctx, o, All()...)
}

// EndToEnd takes the suite called name from sources to tested. Whatever goes
// wrong has been printed when it returns.
func EndToEnd(ctx context.Context, name string) error {
	suite, o, err := prepare(name)
	if err != nil {
		return tell(err)
	}
	return hybrid.EndToEnd(ctx, suite, o)
}

// EndToEndAll runs every suite, one after the other, also when one fails, until it is
// stopped, and adds their results to those of the unit tests.
func EndToEndAll(ctx context.Context) error {
	return endToEnd(ctx, All(), func(artifacts string) error {
		return addResults(filepath.Join(artifacts, resultsFile), filepath.Join(artifacts, "latest", "junit.xml"))
	})
}

// EndToEndShared runs every suite, and makes one cluster for all that can share one.
func EndToEndShared(ctx context.Context) error {
	return endToEnd(ctx, hybrid.Shared(sharedSuite, All()...), func(string) error { return nil })
}

// endToEnd calls tested with the folder of artifacts after each suite that came to a run.
func endToEnd(ctx context.Context, suites []hybrid.Suite, tested func(artifacts string) error) error {
	ctx, stop := hybrid.Stoppable(ctx)
	defer stop()
	_, o, err := prepare(defaultSuite)
	if err != nil {
		return tell(err)
	}
	var errs []error
	for _, suite := range suites {
		if ctx.Err() != nil {
			break
		}
		latest := filepath.Join(o.ArtifactsFolder(), "latest")
		before, _ := os.Readlink(latest) // Nothing in a fresh checkout.
		errs = append(errs, hybrid.EndToEnd(ctx, suite, o))
		if after, _ := os.Readlink(latest); after != before {
			errs = append(errs, tell(tested(o.ArtifactsFolder())))
		}
	}
	return errors.Join(errs...)
}

// prepare finds the suite and reads the options from the environment.
func prepare(name string) (hybrid.Suite, hybrid.Options, error) {
	// Ending mage is to end what it has compiled and started; where that is not to be
	// had the run ends by itself.
	_ = process.EndWithParent()
	suite, err := hybrid.Find(All(), name)
	if err != nil {
		return suite, hybrid.Options{}, fault.With(err, "mage -l lists the targets; SUITE names one of the suites above")
	}
	o, err := Options(os.Getenv, os.Stdout)
	return suite, o, err
}

func suiteName() string {
	if name := os.Getenv("SUITE"); name != "" {
		return name
	}
	return defaultSuite
}

// Options reads the settings of a run in this repository from the environment.
func Options(getenv func(string) string, out io.Writer) (hybrid.Options, error) {
	root, err := findRoot()
	if err != nil {
		return hybrid.Options{}, err
	}
	return hybrid.OptionsFrom(root, getenv, out)
}

// findRoot walks up from the working directory to the folder with go.mod: mage
// starts in the repository's root, ginkgo in the folder of the specs.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("find the repository: no go.mod in %s or above", dir)
		}
	}
}

// tell prints err with its next command, and returns it.
func tell(err error) error { return progress.Tell(os.Stdout, os.Getenv, err) }

// exitPolicy is the exit code when the sources depart from the standards.
const exitPolicy = 4

// ExitCode is the exit code of a target that failed with err: 1 when a target of a
// measurement was missed, 4 when the sources depart from the standards, else what
// hybrid.ExitCode says.
func ExitCode(err error) int {
	switch {
	case errors.Is(err, ErrMissed):
		return hybrid.ExitCode(hybrid.ErrSpecs)
	case errors.Is(err, verify.ErrFindings):
		return exitPolicy
	}
	return hybrid.ExitCode(err)
}
