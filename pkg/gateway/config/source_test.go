package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// change is one call of the function that Watch is given.
type change struct {
	config Config
	err    error
}

// watched starts a Watch of the file and returns its calls.
func watched(t *testing.T, path string) <-chan change {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	calls, ended := make(chan change, 100), make(chan error, 1)
	go func() {
		ended <- Source{Path: path, Getenv: noEnvironment}.Watch(ctx, func(c Config, err error) { calls <- change{c, err} })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Watch ended with %v", err)
		}
	})
	return calls
}

// until returns the first call that satisfies the condition. An editor's truncation
// and write may be seen as two changes.
func until(t *testing.T, calls <-chan change, want func(change) bool) change {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case got := <-calls:
			if want(got) {
				return got
			}
		case <-deadline:
			t.Fatal("the change was not told")
		}
	}
}

const valid = "audit: {enabled: false}\n"

func TestWatchTellsWhatTheFileSays(t *testing.T) {
	path := write(t, valid)
	calls := watched(t, path)
	until(t, calls, func(c change) bool { return c.err == nil && c.config.Server.MaxInFlight == 100 })

	if err := os.WriteFile(path, []byte(valid+"server: {max_in_flight: 7}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, calls, func(c change) bool { return c.err == nil && c.config.Server.MaxInFlight == 7 })

	if err := os.WriteFile(path, []byte("nonsense: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, calls, func(c change) bool { return c.err != nil })

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	until(t, calls, func(c change) bool { return errors.Is(c.err, os.ErrNotExist) })
}

// A mounted ConfigMap is a link to a folder whose name changes.
func TestWatchFollowsAMountedConfigMap(t *testing.T) {
	mount := t.TempDir()
	version := func(name, content string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(mount, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(mount, name, "config.yaml"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, filepath.Join(mount, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", valid)
	path := filepath.Join(mount, "config.yaml")
	if err := os.Symlink("..data/config.yaml", path); err != nil {
		t.Fatal(err)
	}
	calls := watched(t, path)
	until(t, calls, func(c change) bool { return c.err == nil && c.config.Log.Level == "info" })
	version("..2", valid+"log: {level: debug}\n")
	until(t, calls, func(c change) bool { return c.err == nil && c.config.Log.Level == "debug" })
}

func TestWatchWithoutAFileHasNothingToTell(t *testing.T) {
	told := func(Config, error) { t.Error("told something") }
	if err := (Source{Getenv: noEnvironment}).Watch(t.Context(), told); err != nil {
		t.Error(err)
	}
	gone := Source{Path: filepath.Join(t.TempDir(), "missing", "config.yaml"), Getenv: noEnvironment}
	if err := gone.Watch(t.Context(), told); err == nil {
		t.Error("a folder that does not exist can be watched")
	}
}
