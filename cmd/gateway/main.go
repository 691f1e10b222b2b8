// Command gateway turns alerts and Kubernetes events into RemediationRequests.
// See docs/gateway.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/server"
)

// exitFailure and exitUsage are the exit codes besides 0.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	// main must return for a coverage build to write its data, hence no os.Exit on
	// the way of an orderly end.
	if code := run(os.Args[1:], os.Stdout, os.Stderr); code != 0 {
		os.Exit(code)
	}
}

func run(arguments []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "", "the configuration file, YAML; empty means defaults and environment")
	if err := flags.Parse(arguments); err != nil {
		return exitUsage
	}
	settings, err := config.Load(*path, os.Getenv)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "gateway:", err)
		return exitUsage
	}
	level, err := settings.Log.SlogLevel()
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "gateway:", err)
		return exitUsage
	}
	logger := server.NewLogger(stdout, level)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	restConfig, err := ctrlconfig.GetConfig()
	if err != nil {
		logger.Error("no Kubernetes cluster is configured; run in a pod, or set KUBECONFIG", "error", err)
		return exitFailure
	}
	if err := server.Run(ctx, settings, restConfig, logger); err != nil {
		logger.Error("the Gateway ends with an error", "error", err)
		return exitFailure
	}
	return 0
}
