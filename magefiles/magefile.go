// Package main declares the targets of this repository. They delegate: the
// pipeline is in hybrid/, the suites are in test/infrastructure/.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/magefile/mage/mg"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

// Default is what a bare `mage` does.
var Default = E2E.Gateway

// session is this process's run: the phase targets share it, because mage
// calls them as plain functions.
var session infrastructure.Session

// failed ends a target whose reason has been printed already.
func failed(target string, err error) error {
	if err == nil {
		return nil
	}
	return mg.Fatalf(infrastructure.ExitCode(err), "%s failed; the reason stands above", target)
}

// tool shows a command of the Go toolchain and runs it with its output on the
// terminal, env added to its environment. The first run of one compiles it, which
// may take minutes.
func tool(ctx context.Context, env []string, args ...string) error {
	c := command.Command{Args: args, Env: env, Stdout: os.Stdout, Log: os.Stderr}
	fmt.Println("==>", c)
	_, err := command.Exec{}.Run(ctx, c)
	return err
}
