package infrastructure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"github.com/jstemmer/go-junit-report/v2/parser/gotest"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// errUnitTests counts as specs that failed.
var errUnitTests = fmt.Errorf("%w: see the unit tests above", hybrid.ErrSpecs)

// UnitTests runs all tests that need no cluster, with the race detector, prints what `go
// test` prints of them, and begins the file of results anew with theirs. Whatever goes
// wrong has been printed when it returns.
func UnitTests(ctx context.Context) error {
	env, err := UnitEnvironment(ctx)
	if err != nil {
		return err
	}
	_, o, err := prepare(defaultSuite)
	if err != nil {
		return tell(err)
	}
	return tell(unitTests(ctx, command.Exec{}, o.Root, o.Out, env, filepath.Join(o.ArtifactsFolder(), resultsFile)))
}

func unitTests(ctx context.Context, r command.Runner, root string, out io.Writer, env []string, file string) error {
	args := append([]string{"go", "test", "-race"}, UnitTested()...)
	fmt.Fprintln(out, "==>", command.Command{Args: args})
	var events bytes.Buffer
	shown := &testOutput{out: out, tests: map[string][]string{}}
	_, err := r.Run(ctx, command.Command{
		Args: append([]string{"go", "test", "-json"}, args[2:]...), Dir: root, Env: env, Stdout: io.MultiWriter(&events, shown), Log: out,
	})
	report, parseErr := gotest.NewJSONParser().Parse(&events)
	if parseErr == nil {
		parseErr = writeResults(file, junit.CreateFromReport(report, ""))
	}
	if parseErr != nil {
		parseErr = fmt.Errorf("keep the results of the unit tests: %w", parseErr)
	}
	if exit := (*command.Error)(nil); ctx.Err() == nil && errors.As(err, &exit) && exit.ExitCode == 1 {
		err = fault.With(errUnitTests, "go test -race -run '<name of the test>' <package>")
	}
	return errors.Join(err, parseErr)
}

// testOutput is a writer for what `go test -json` prints: it prints what go test prints
// without that, with the lines of a failed test as they came. Both fields that follow are
// mandatory.
type testOutput struct {
	out io.Writer
	// tests has the lines of tests that have not ended, by package and name.
	tests map[string][]string

	// partial is the beginning of a line.
	partial []byte
}

// Write implements io.Writer.
func (t *testOutput) Write(p []byte) (int, error) {
	t.partial = append(t.partial, p...)
	for {
		line, rest, found := bytes.Cut(t.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		if _, err := io.WriteString(t.out, t.show(line)); err != nil {
			return 0, err
		}
		t.partial = rest
	}
}

// show gives what a line tells to people; often nothing.
func (t *testOutput) show(line []byte) string {
	// See `go doc test2json`.
	var event struct{ Action, Package, Test, Output string }
	if err := json.Unmarshal(line, &event); err != nil {
		return string(line) + "\n"
	}
	key := event.Package + " " + event.Test
	switch {
	case event.Test == "":
		if event.Output == "PASS\n" {
			return ""
		}
		return event.Output
	case event.Action == "output":
		if !strings.HasPrefix(event.Output, "=== ") {
			t.tests[key] = append(t.tests[key], event.Output)
		}
	case event.Action == "fail":
		lines := strings.Join(t.tests[key], "")
		delete(t.tests, key)
		return lines
	case event.Action == "pass" || event.Action == "skip":
		delete(t.tests, key)
	}
	return ""
}
