package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// Test runs everything that needs no cluster: verify, lint and the unit tests with -race.
// Their results are in junit.xml in the folder of artifacts.
//
// Example: mage test
func Test(ctx context.Context) error {
	mg.SerialCtxDeps(ctx, Verify, Lint)
	return failed("test", infrastructure.UnitTests(ctx))
}

// Lint checks the Go sources with golangci-lint, and the workflow with actionlint.
//
// Example: mage lint
func Lint(ctx context.Context) error {
	// It does not compile with the YAML package that the other tools need, so it cannot be in tools/go.mod.
	if err := tool(ctx, nil, "go", "run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"); err != nil {
		return err
	}
	return tool(ctx, nil, "go", "tool", "-modfile=tools/go.mod", "golangci-lint", "run", "./...")
}

// Verify checks Dockerfiles, manifests, specs and targets against docs/standards.
//
// Example: SARIF=findings.sarif mage verify
func Verify(ctx context.Context) error {
	return failed("verify", infrastructure.Verify(ctx))
}

// Vulnerabilities looks for known vulnerabilities that the code can reach, with govulncheck.
//
// Example: mage vulnerabilities
func Vulnerabilities(ctx context.Context) error {
	return failed("vulnerabilities", infrastructure.Vulnerabilities(ctx))
}

// Browser opens a report in headless Chromium, clicks through it, and takes pictures of it.
// It needs Chromium or Chrome on PATH and says how to get one. PICTURES names the folder
// for the pictures, PAGE a report.html to take instead of an example.
//
// Example: PICTURES=pictures PAGE=_artifacts/latest/report.html mage browser
func Browser(ctx context.Context) error {
	return tool(ctx, nil, "go", "test", "-tags=browser", "-count=1", "-run=Browser", "./hybrid/report/page")
}

// CI does what a pull request must pass: the tests, then every suite. The results of all
// are in one junit.xml in the folder of artifacts. Reports in a browser are looked at by
// the target browser.
//
// Example: mage -v ci
func CI(ctx context.Context) error {
	mg.SerialCtxDeps(ctx, Test, Vulnerabilities)
	return failed("ci", infrastructure.EndToEndAll(ctx))
}

// Chaos stops runs at every place and breaks what they stand on: a table of what they told and left.
// It makes some seventy clusters, one after the other; RUN selects trials as go test -run does.
//
// Example: RUN=TestStops/deploy mage chaos
func Chaos(ctx context.Context) error {
	return failed("chaos", infrastructure.Chaos(ctx))
}

// Soak runs a suite n times in a row, SUITE or the Gateway's: a table of times and disk use.
// Every run has a process of its own. Any failure fails the soak, and so does disk use
// that still grows after the fifth run. Ctrl-C ends it with the table so far.
//
// Example: SUITE=gateway mage soak 10
func Soak(ctx context.Context, n int,
	keepGoing *bool, // go on after a run that failed; the soak fails all the same
) error {
	return failed("soak", infrastructure.Soak(ctx, n, keepGoing != nil && *keepGoing))
}
