package config

import (
	"context"
	"fmt"
	"os"

	"github.com/hybrid-e2e/hybrid/pkg/livefile"
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
	if s.Path == "" {
		return s.config(nil)
	}
	return s.use(os.ReadFile(s.Path))
}

// Watch calls changed with what the file says, first at once and then each time its
// content has become another one, also when that cannot be used: then with the error, see
// livefile.Watch. It returns when ctx ends, at once without a file.
func (s Source) Watch(ctx context.Context, changed func(Config, error)) error {
	if s.Path == "" {
		return nil
	}
	err := livefile.Watch(ctx, s.Path, func(content []byte, err error) { changed(s.use(content, err)) })
	if err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	return nil
}

func (s Source) use(content []byte, err error) (Config, error) {
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	return s.config(content)
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
