// Command datastorage keeps audit events in PostgreSQL, with a Redis stream in
// reserve.
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

	"github.com/hybrid-e2e/hybrid/pkg/datastorage"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/config"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/queue"
)

func main() {
	if err := untilSignal(); err != nil {
		fmt.Fprintln(os.Stderr, "datastorage:", err)
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
	flags := flag.NewFlagSet("datastorage", flag.ContinueOnError)
	flags.SetOutput(logs)
	path := flags.String("config", "/etc/datastorage/config.yaml", "configuration `file`, YAML")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	c, err := config.Load(*path)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: c.Log.Level})).With("service", "datastorage")
	queue.CaptureClientLog(log)

	service, err := datastorage.New(ctx, c, log)
	if err != nil {
		return err
	}
	return service.Run(ctx)
}
