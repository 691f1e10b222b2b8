package server

import (
	"context"
	"io"
	"log/slog"

	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// NewLogger writes JSON lines. Every line that belongs to a request carries its id.
func NewLogger(out io.Writer, level slog.Leveler) *slog.Logger {
	handler := slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})
	return slog.New(requestHandler{handler}).With("service", "gateway")
}

// requestHandler adds the id of the request that the context belongs to.
type requestHandler struct{ slog.Handler }

func (h requestHandler) Handle(ctx context.Context, record slog.Record) error {
	if id := problem.RequestID(ctx); id != "" {
		record = record.Clone()
		record.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, record)
}

func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}
