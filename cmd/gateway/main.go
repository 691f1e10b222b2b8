// Command gateway turns alerts and Kubernetes events into RemediationRequests.
// See docs/gateway.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/config"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/server"
)

func main() {
	if err := untilSignal(); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// untilSignal runs until the first SIGTERM or interrupt. Returning, and not being
// killed, is what writes the coverage data of an instrumented binary.
func untilSignal() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return run(ctx, os.Args[1:], os.Stderr)
}

// run serves until ctx ends. A clean stop returns nil.
func run(ctx context.Context, arguments []string, logs io.Writer) error {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(logs)
	path := flags.String("config", "", "configuration `file`, YAML; empty means defaults and environment")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	source := config.Source{Path: *path, Getenv: os.Getenv}
	settings, err := source.Load()
	if err != nil {
		return err
	}
	restConfig, err := ctrlconfig.GetConfig()
	if err != nil {
		return fmt.Errorf("no Kubernetes cluster is configured; run in a pod, or set KUBECONFIG: %w", err)
	}
	lines := server.NewLines(logs)
	defer lines.Close()
	level := new(slog.LevelVar)
	level.Set(settings.Log.SlogLevel())
	return server.Run(ctx, server.Options{
		Config: settings, Watch: source.Watch, Rest: restConfig, Logger: server.NewLogger(lines, level), Level: level,
	})
}
