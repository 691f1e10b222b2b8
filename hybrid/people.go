package hybrid

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/progress"
	"github.com/hybrid-e2e/hybrid/hybrid/setup"
	"github.com/hybrid-e2e/hybrid/hybrid/stock"
)

// Commands as people have them: what went wrong has been printed when they return.

// ShowDown does what Down does and names each cluster.
func ShowDown(ctx context.Context, o Options, all bool) error {
	o = o.withDefaults()
	done, remark, err := Down(ctx, o, all)
	for _, line := range outcomes(o.Root, done) {
		fmt.Fprintln(o.Out, line)
	}
	if remark != "" {
		fmt.Fprintln(o.Out, remark)
	}
	return progress.Tell(o.Out, o.Getenv, err)
}

// outcomes tells what became of each cluster, one line for each.
func outcomes(root string, done []cluster.Outcome) []string {
	var lines []string
	for _, o := range done {
		line := "left alone "
		if o.Deleted {
			line = "deleted "
		}
		line += o.Name
		if o.Suite != "" {
			line += " (suite " + o.Suite + ")"
		}
		if o.Checkout != root {
			line += " of " + o.Checkout
		}
		lines = append(lines, line+": "+o.Reason)
	}
	if len(lines) == 0 {
		return []string{"no cluster to delete"}
	}
	return lines
}

// ShowStatus shows the clusters of the checkout and of the user's other ones, as a table
// or, with asJSON, for programs.
func ShowStatus(ctx context.Context, o Options, asJSON bool) error {
	o = o.withDefaults()
	list, remark, err := Status(ctx, o)
	if asJSON {
		encoder := json.NewEncoder(o.Out)
		encoder.SetIndent("", "  ")
		if encodeErr := encoder.Encode(list); encodeErr != nil || err == nil {
			return progress.Tell(o.Out, o.Getenv, encodeErr)
		}
		// Standard output is the programs'.
		fmt.Fprintln(os.Stderr, err)
		return err
	}
	switch {
	case len(list) > 0:
		fmt.Fprint(o.Out, cluster.Table(list, time.Now()))
	case err == nil:
		fmt.Fprintln(o.Out, "there is no cluster")
	}
	if remark != "" {
		fmt.Fprintln(o.Out, remark)
	}
	return progress.Tell(o.Out, o.Getenv, err)
}

// ShowImages shows the pipeline's images that the engine holds, as a table or, with asJSON,
// for programs.
func ShowImages(ctx context.Context, o Options, asJSON bool, suites ...Suite) error {
	o = o.withDefaults()
	list, err := Images(ctx, o, suites...)
	switch {
	case err != nil:
	case asJSON:
		encoder := json.NewEncoder(o.Out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(list)
	default:
		fmt.Fprint(o.Out, stock.Table(list, o.Now()))
	}
	return progress.Tell(o.Out, o.Getenv, err)
}

// SetUpMachine makes this machine able to run everything, and says what it does. Logs go
// to _artifacts/setup below root.
func SetUpMachine(ctx context.Context, root string) error {
	printer := progress.New(os.Stdout, progress.Options{Getenv: os.Getenv, Verbose: os.Getenv("MAGEFILE_VERBOSE") == "1"})
	err := setup.Run(ctx, setup.Options{Observer: printer, LogDir: filepath.Join(root, "_artifacts", "setup"), Getenv: os.Getenv})
	printer.Close()
	return progress.Tell(os.Stdout, os.Getenv, err)
}
