// Command courier runs beside a service in its pod, with a folder that both share. When it
// is told to end, which Kubernetes does after the service has ended, it writes the files in
// the folder to its standard output, from which they are received.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hybrid-e2e/hybrid/hybrid/delivery"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := deliver(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "courier:", err)
		os.Exit(1)
	}
}

// deliver sends the folder named by args when ctx has ended.
func deliver(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("want one folder, got %q", args)
	}
	<-ctx.Done()
	return delivery.Send(out, args[0])
}
