// Command signalprocessing says of each new RemediationRequest where it is from and how urgent.
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

	"github.com/hybrid-e2e/hybrid/pkg/signalprocessing"
)

func main() {
	if err := untilSignal(); err != nil {
		fmt.Fprintln(os.Stderr, "signalprocessing:", err)
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

// run watches until ctx ends. A clean stop returns nil.
func run(ctx context.Context, arguments []string, logs io.Writer) error {
	flags := flag.NewFlagSet("signalprocessing", flag.ContinueOnError)
	flags.SetOutput(logs)
	o := signalprocessing.Options{Log: slog.New(slog.NewJSONHandler(logs, nil)).With("service", "signalprocessing")}
	flags.StringVar(&o.Address, "address", ":8080", "where probes are answered")
	flags.StringVar(&o.MetricsAddress, "metrics-address", ":9090", "where metrics are served")
	flags.StringVar(&o.Rules, "rules", "/etc/signalprocessing/rules.yaml", "`file` with the rules, YAML; followed while it runs")
	flags.StringVar(&o.DataStorageURL, "datastorage-url", "", "base `URL` of DataStorage, which keeps the audit events")
	flags.BoolVar(&o.LeaderElect, "leader-elect", false, "let one of several replicas work and the others stand by")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	var err error
	if o.Rest, err = ctrlconfig.GetConfig(); err != nil {
		return fmt.Errorf("no Kubernetes cluster is configured; run in a pod, or set KUBECONFIG: %w", err)
	}
	return signalprocessing.Run(ctx, o)
}
