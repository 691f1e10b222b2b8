package infrastructure

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/setup"
	"github.com/hybrid-e2e/hybrid/hybrid/verify"
)

// UnitTested lists the package patterns whose tests need no cluster. The specs
// in test/e2e are left out: they run in the suites.
func UnitTested() []string {
	return []string{"./api/...", "./cmd/...", "./hybrid/...", "./pkg/...", "./test/bench/...", "./test/chaos/...", "./test/docs/...", "./test/existing/...", "./test/infrastructure/...", "./test/sample/...", "./test/scaffold/...", "./targets/..."}
}

// Setup makes this machine able to run everything.
func Setup(ctx context.Context) error {
	root, err := findRoot()
	if err != nil {
		return tell(err)
	}
	return hybrid.SetUpMachine(ctx, root)
}

// Doctor prints what it finds on this machine, for people or, with asJSON, for programs;
// an error-level finding fails.
func Doctor(ctx context.Context, asJSON bool) error {
	return setup.Show(os.Stdout, setup.Check(ctx, setup.Options{Getenv: os.Getenv}), asJSON)
}

// Verify checks the sources against the standards and prints every finding.
func Verify(ctx context.Context) error {
	root, err := findRoot()
	if err != nil {
		return tell(err)
	}
	result, err := verify.Run(ctx, root, VerifyOptions())
	if err != nil {
		return tell(fault.With(err, "mend the file named above"))
	}
	if file := os.Getenv("SARIF"); file != "" {
		if err := writeSARIF(file, result.Findings); err != nil {
			return tell(fault.With(err, "make the folder of SARIF writable"))
		}
	}
	fmt.Print(result)
	return result.Err()
}

func writeSARIF(file string, findings []verify.Finding) (err error) {
	f, err := os.Create(file) //nolint:gosec // The user names it.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return verify.WriteSARIF(f, findings)
}

// VerifyOptions are the facts of this repository that the rules compare with.
func VerifyOptions() verify.Options {
	o := verify.Options{Registry: image.Registry, NodePorts: map[string]int32{}, CoveragePath: coverage.Path}
	seen := map[string]bool{}
	for _, suite := range All() {
		for _, img := range suite.Images {
			if !seen[img.Name] {
				o.Images = append(o.Images, verify.Image{Name: img.Name, Dockerfile: img.Dockerfile, Coverage: img.Coverage})
			}
			seen[img.Name] = true
		}
		for _, e := range suite.Endpoints {
			o.NodePorts[e.Name] = e.NodePort
		}
	}
	return o
}
