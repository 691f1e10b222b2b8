package server

import (
	"context"
	"io"
	"log/slog"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// flushEvery is how long a line may wait for others: what copies a container's log is
// woken up for each write, which at some hundred requests a second costs more than the
// line itself.
const flushEvery = 100 * time.Millisecond

// Lines has the lines of a log wait for others, 100 ms at most. Stop it in the end: it
// writes what waits, and nothing that comes later.
func Lines(out io.Writer) *zapcore.BufferedWriteSyncer {
	// A pipe cannot be synced: the error would hide those of writing.
	return &zapcore.BufferedWriteSyncer{WS: zapcore.AddSync(struct{ io.Writer }{out}), FlushInterval: flushEvery}
}

// NewLogger writes JSON lines. Every line that belongs to a request carries its id.
// Where lines wait in out, those of warnings and errors do not.
func NewLogger(out io.Writer, level slog.Leveler) *slog.Logger {
	flush := func() error { return nil }
	if lines, ok := out.(*zapcore.BufferedWriteSyncer); ok {
		flush = lines.Sync
	}
	handler := slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})
	return slog.New(requestHandler{handler, flush}).With("service", "gateway")
}

// requestHandler adds the id of the request that the context belongs to, and sees to it
// that nobody waits for what is urgent.
type requestHandler struct {
	slog.Handler
	flush func() error
}

func (h requestHandler) Handle(ctx context.Context, record slog.Record) error {
	if id := problem.RequestID(ctx); id != "" {
		record = record.Clone()
		record.AddAttrs(slog.String("request_id", id))
	}
	if err := h.Handler.Handle(ctx, record); err != nil || record.Level < slog.LevelWarn {
		return err
	}
	return h.flush()
}

func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs), h.flush}
}

func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name), h.flush}
}
