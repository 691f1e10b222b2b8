// Command greeter serves greetings on port 8080 until it is told to end.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"example.com/greeter/greeting"
)

// shutdown is how long requests that are under way may take at the end.
const shutdown = 5 * time.Second

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// run returns after SIGTERM: a process that is killed writes no coverage.
func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := http.Server{Addr: ":8080", Handler: greeting.Handler(), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), shutdown)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), ctx.Err())
}
