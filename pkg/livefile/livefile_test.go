package livefile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWatchTellsEachContentOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	steps := []func() error{
		func() error { return os.WriteFile(path, []byte("a"), 0o600) },
		func() error { return os.WriteFile(path+".new", []byte("b"), 0o600) },
		func() error { return os.Rename(path+".new", path) },
		func() error { return os.Remove(path) },
	}
	if err := steps[0](); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var told []string
	err := Watch(ctx, path, func(content []byte, err error) {
		told = append(told, string(content))
		switch {
		case errors.Is(err, os.ErrNotExist):
			stop()
		case string(content) == "a":
			err = errors.Join(steps[1](), steps[2]())
		case string(content) == "b":
			err = steps[3]()
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
	if err != nil || len(told) != 3 || told[0] != "a" || told[1] != "b" {
		t.Errorf("told %q, error %v", told, err)
	}
}

func TestWatchNeedsTheFolder(t *testing.T) {
	err := Watch(t.Context(), filepath.Join(t.TempDir(), "missing", "file"), func([]byte, error) { t.Error("told") })
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
