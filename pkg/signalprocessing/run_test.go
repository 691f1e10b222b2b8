package signalprocessing

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"k8s.io/client-go/rest"
)

// stopping is a log that calls stop when it is told of text.
type stopping struct {
	text string
	stop func()
}

func (s stopping) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(s.text)) {
		s.stop()
	}
	return len(line), nil
}

// A stop that is asked for ends without an error, so that main returns and coverage data
// is written: also while there is no API server.
func TestRunStopsCleanly(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	err := Run(ctx, Options{
		Address: "127.0.0.1:0", MetricsAddress: "127.0.0.1:0", Rest: &rest.Config{Host: "127.0.0.1:1"},
		Rules: rulesFile(t, goodRules), DataStorageURL: "http://127.0.0.1:1",
		Log: slog.New(slog.NewJSONHandler(stopping{"Starting EventSource", stop}, nil)),
	})
	if err != nil {
		t.Error(err)
	}
}
