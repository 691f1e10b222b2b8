// Command hybrid looks at other repositories than its own:
//
//	go run github.com/hybrid-e2e/hybrid/cmd/hybrid verify [flags] [folder]
//
// See docs/standards.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/hybrid-e2e/hybrid/hybrid/verify"
)

// Exit codes, as those of the targets.
const (
	exitUsage       = 2
	exitEnvironment = 3
	exitFindings    = 4
)

const usage = `Usage: hybrid verify [flags] [folder]

verify checks the repository in the folder, which holds a go.mod, against the
standards; without a folder the one it is started in. It ends with 0 when every rule
that could be checked holds, 2 when it was called wrongly, 3 when the repository
cannot be read, 4 when a rule does not hold.

  hybrid verify -sarif findings.sarif ../shop

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole command; it returns the exit code.
func run(ctx context.Context, arguments []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("hybrid verify", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() {
		fmt.Fprint(errs, usage)
		flags.PrintDefaults()
	}
	asJSON := flags.Bool("json", false, "print the result as JSON, for programs")
	sarif := flags.String("sarif", "", "also write the findings to this `file`, as SARIF 2.1.0")
	if len(arguments) == 0 || arguments[0] != "verify" {
		flags.Usage()
		return exitUsage
	}
	if err := flags.Parse(arguments[1:]); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return exitUsage
	}
	folder := "."
	switch flags.NArg() {
	case 0:
	case 1:
		folder = flags.Arg(0)
	default:
		fmt.Fprintf(errs, "one folder, not %d: %q\n", flags.NArg(), flags.Args())
		return exitUsage
	}
	err := check(ctx, folder, *asJSON, *sarif, out)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, verify.ErrFindings):
		return exitFindings
	}
	fmt.Fprintln(errs, err)
	return exitEnvironment
}

// check prints the result. The error is verify.ErrFindings when a rule does not hold.
func check(ctx context.Context, folder string, asJSON bool, sarif string, out io.Writer) error {
	result, err := verify.Run(ctx, folder, verify.Options{})
	if err != nil {
		return err
	}
	if sarif != "" {
		if err := writeSARIF(sarif, result.Findings); err != nil {
			return err
		}
	}
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(result)
	} else {
		_, err = fmt.Fprint(out, result)
	}
	return errors.Join(err, result.Err())
}

func writeSARIF(name string, findings []verify.Finding) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return verify.WriteSARIF(file, findings)
}
