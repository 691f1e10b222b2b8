package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Secret reads the file name in the mounted folder. It is read for every new
// connection, so that a rotated password needs no restart, and a Secret that is
// mounted late only delays the first connection. One trailing line end is removed.
func Secret(folder, name string) (string, error) {
	body, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return "", fmt.Errorf("read secret %s: %w", name, err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(body), "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("read secret %s: the file in %s is empty", name, folder)
	}
	return value, nil
}
