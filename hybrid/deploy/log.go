package deploy

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

type logKey struct{}

// withLog makes everything that the client libraries say under the returned
// context go to log: the API server's warnings and the messages of watches.
// Without it they would land on the terminal, in the middle of the progress.
func withLog(ctx context.Context, log io.Writer) context.Context {
	ctx = context.WithValue(ctx, logKey{}, log)
	return klog.NewContext(ctx, logr.FromSlogHandler(slog.NewTextHandler(log, nil)))
}

// warnings writes the API server's warnings into the log of the context.
type warnings struct{}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
// Code 299 is the one that Kubernetes uses.
func (warnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	if log, ok := ctx.Value(logKey{}).(io.Writer); ok && code == 299 && text != "" {
		_, _ = fmt.Fprintf(log, "warning of the API server: %s\n", text)
	}
}
