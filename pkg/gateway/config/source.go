package config

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// Source is where the configuration comes from.
type Source struct {
	// Path is the YAML file; empty means defaults and overrides alone.
	Path string
	// Getenv knows the overrides; it is os.Getenv outside of tests.
	Getenv func(string) string
}

// Load reads the file, applies the overrides and checks the result.
func (s Source) Load() (Config, error) {
	return s.look().use(s)
}

// Watch calls changed with what the file says, first at once and then each time its
// content has become another one, also when that cannot be used: then with the
// error. It returns when ctx ends, at once without a file. A file that is replaced,
// by an editor or by the link that a mounted ConfigMap moves, is followed.
func (s Source) Watch(ctx context.Context, changed func(Config, error)) error {
	if s.Path == "" {
		return nil
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	defer func() { _ = watcher.Close() }()
	// The folder is watched: the file itself is gone when it is replaced.
	if err := watcher.Add(filepath.Dir(s.Path)); err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	var last *outcome
	for {
		if now := s.look(); last == nil || !now.same(*last) {
			last = &now
			changed(now.use(s))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-watcher.Events:
		case err := <-watcher.Errors:
			changed(Config{}, fmt.Errorf("watch the configuration: %w", err))
		}
	}
}

// outcome is what reading the file gave.
type outcome struct {
	content []byte
	err     error
}

func (s Source) look() outcome {
	content, err := s.read()
	return outcome{content: content, err: err}
}

// same reports whether there is nothing new to tell. A file that stays unreadable
// is told once, not with each event of its folder.
func (o outcome) same(last outcome) bool {
	return (o.err == nil) == (last.err == nil) && bytes.Equal(o.content, last.content)
}

func (o outcome) use(s Source) (Config, error) {
	if o.err != nil {
		return Config{}, o.err
	}
	return s.config(o.content)
}

func (s Source) read() ([]byte, error) {
	if s.Path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(s.Path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return content, nil
}

func (s Source) config(content []byte) (Config, error) {
	config, err := Parse(content)
	if err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", s.Path, err)
	}
	for name, value := range map[string]*string{
		EnvAddress:        &config.Server.Address,
		EnvMetricsAddress: &config.Server.MetricsAddress,
		EnvDataStorageURL: &config.Audit.DataStorageURL,
	} {
		if override := s.Getenv(name); override != "" {
			*value = override
		}
	}
	if err := config.Validate(); err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", s.Path, err)
	}
	return config, nil
}
