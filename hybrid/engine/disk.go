package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// VolumeSizes tells how many bytes each volume takes. Only docker tells it; with
// podman the result is empty. The engine counts the files of all volumes and images,
// which may take long where there are many: bound it by ctx.
func (e *Engine) VolumeSizes(ctx context.Context) (map[string]int64, error) {
	if e.Kind != Docker {
		return nil, nil
	}
	out, err := e.Run(ctx, nil, "system", "df", "--verbose", "--format", "{{json .Volumes}}")
	if err != nil {
		return nil, fmt.Errorf("ask for the sizes of volumes: %w", err)
	}
	var volumes []struct{ Name, Size string }
	if err := json.Unmarshal(out, &volumes); err != nil {
		return nil, fmt.Errorf("read the sizes of volumes: %w", err)
	}
	sizes := make(map[string]int64, len(volumes))
	for _, v := range volumes {
		if n, err := ParseSize(v.Size); err == nil {
			sizes[v.Name] = n
		}
	}
	return sizes, nil
}

// DiskUse is what the engine takes on disk, in bytes: images, containers, volumes and
// the build cache, where there is one. It is as exact as the engine tells, which is
// three digits of each.
func (e *Engine) DiskUse(ctx context.Context) (int64, error) {
	out, err := e.Run(ctx, nil, "system", "df", "--format", "{{.Type}}: {{.Size}}")
	if err != nil {
		return 0, fmt.Errorf("ask for the engine's disk use: %w", err)
	}
	var total int64
	for line := range strings.Lines(string(out)) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, err := ParseSize(text)
		if err != nil {
			return 0, fmt.Errorf("read the engine's disk use: %w", err)
		}
		total += n
	}
	return total, nil
}

// StoreFolder is the folder, on the engine's machine, in which it keeps images and
// containers.
func (e *Engine) StoreFolder(ctx context.Context) (string, error) {
	format := "{{.DockerRootDir}}"
	if e.Kind == Podman {
		format = "{{.Store.GraphRoot}}"
	}
	out, err := e.Run(ctx, nil, "info", "--format", format)
	if err != nil {
		return "", fmt.Errorf("ask where the engine keeps its images: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// maxSize bounds the number before the unit: a million terabytes fit an int64.
const maxSize = 1e6

// ParseSize turns a size as docker prints it, such as 989.3MB, into bytes.
func ParseSize(text string) (int64, error) {
	var number float64
	var unit string
	if _, err := fmt.Sscanf(text, "%g%s", &number, &unit); err != nil {
		return 0, fmt.Errorf("%q is no size: %w", text, err)
	}
	// Also false for what is not a number.
	if inRange := number >= 0 && number < maxSize; !inRange {
		return 0, fmt.Errorf("%q is no size: the number is out of range", text)
	}
	factor := float64(1)
	for _, u := range []string{"B", "kB", "MB", "GB", "TB"} {
		if unit == u {
			return int64(number * factor), nil
		}
		factor *= 1000
	}
	return 0, fmt.Errorf("%q is no size: unknown unit %q", text, unit)
}
