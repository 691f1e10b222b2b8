package infrastructure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/progress"
)

// defaultSuite is what the phase targets work on unless SUITE names another.
const defaultSuite = "gateway"

// Session is the run that the phase targets of one process share. Its zero
// value is ready; the suite is named by SUITE.
type Session struct {
	once     sync.Once
	pipeline *hybrid.Pipeline
	err      error
}

// Step runs one phase of the session's pipeline and prints what went wrong.
func (s *Session) Step(ctx context.Context, phase func(*hybrid.Pipeline, context.Context) error) error {
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

// Down deletes this checkout's cluster of every suite.
func (*Session) Down(ctx context.Context) error {
	var errs []error
	for _, suite := range All() {
		_, o, err := prepare(suite.Name)
		if err != nil {
			return tell(err)
		}
		name, err := hybrid.Down(ctx, suite, o)
		switch {
		case err != nil:
			errs = append(errs, err)
		case name != "":
			fmt.Fprintf(o.Out, "deleted %s\n", name)
		default:
			fmt.Fprintf(o.Out, "no cluster of suite %s\n", suite.Name)
		}
	}
	return tell(errors.Join(errs...))
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

// EndToEndAll runs every suite, one after the other, also when one fails.
func EndToEndAll(ctx context.Context) error {
	var errs []error
	for _, suite := range All() {
		errs = append(errs, EndToEnd(ctx, suite.Name))
	}
	return errors.Join(errs...)
}

// prepare finds the suite and reads the options from the environment.
func prepare(name string) (hybrid.Suite, hybrid.Options, error) {
	suite, err := hybrid.Find(All(), name)
	if err != nil {
		return suite, hybrid.Options{}, fault.With(err, "mage -l lists the targets; SUITE names one of the suites above")
	}
	root, err := findRoot()
	if err != nil {
		return suite, hybrid.Options{}, err
	}
	o, err := hybrid.OptionsFrom(root, os.Getenv, os.Stdout)
	return suite, o, err
}

func suiteName() string {
	if name := os.Getenv("SUITE"); name != "" {
		return name
	}
	return defaultSuite
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
func tell(err error) error {
	if err != nil {
		p := progress.New(os.Stdout, progress.Options{Getenv: os.Getenv})
		p.Failure(err)
		p.Close()
	}
	return err
}

// ExitCode is the exit code of a target that failed with err: 1 when specs failed
// or a target was missed, 3 when the set-up did.
func ExitCode(err error) int {
	if errors.Is(err, hybrid.ErrSpecs) || errors.Is(err, ErrMissed) {
		return 1
	}
	return 3
}
