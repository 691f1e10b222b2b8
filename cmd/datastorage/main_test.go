package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		arguments []string
		want      string
	}{
		"an unknown flag": {[]string{"--port", "1"}, "flag provided but not defined"},
		"a missing file":  {[]string{"--config", filepath.Join(t.TempDir(), "none")}, "read configuration"},
		"an unknown key":  {[]string{"--config", file(t, "nope: 1\n")}, "line 1: field nope not found"},
		"an address of no host": {
			[]string{"--config", file(t, "server: {address: \"192.0.2.1:0\"}\n")}, "server.address",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), c.arguments, new(strings.Builder)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want it to contain %q", err, c.want)
			}
		})
	}
}

// A stop that is asked for ends without an error, so that main returns and coverage
// data is written.
func TestRunStopsCleanly(t *testing.T) {
	path := file(t, `
server: {address: "127.0.0.1:0", metrics_address: "127.0.0.1:0", shutdown_delay: 0s}
postgresql: {address: "127.0.0.1:1"}
redis: {address: "127.0.0.1:1"}
`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var logs strings.Builder
	if err := run(ctx, []string{"--config", path}, &logs); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(logs.String()) {
		if !strings.HasPrefix(line, `{"time":`) {
			t.Errorf("a line that is not JSON: %s", line)
		}
	}
	if !strings.Contains(logs.String(), "DataStorage has stopped") {
		t.Errorf("logs %s", logs.String())
	}
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
