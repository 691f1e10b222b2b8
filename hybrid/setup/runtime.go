package setup

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

const (
	// runtimeName is the engine's name for the wrapper.
	runtimeName = "hybrid-runc"
	runtimePath = "/usr/local/libexec/hybrid/runc"
	configPath  = "/etc/docker/daemon.json"
	// capSysResource is the capability's bit, from linux/capability.h.
	capSysResource = 24
)

//go:embed runc.sh
var runtimeWrapper []byte

// configureRuntime makes the wrapper the default runtime of an engine that is
// about to be installed on a machine that cannot give CAP_SYS_RESOURCE. It runs
// before the installation: whether the engine is ours can only be told as long
// as none is there, and an interrupted setup must not forget it.
func (s *installer) configureRuntime(_ context.Context, h *task.Handle) error {
	has, err := boundingSetHas(s.host.path("/proc/self/status"), capSysResource)
	if err != nil {
		return err
	}
	switch {
	case s.engine != nil || s.installed:
		h.Cached("the engine is used as it is")
		return nil
	case has:
		h.Cached("the engine's own runtime")
		return nil
	}
	if _, err := os.Stat(s.host.path(configPath)); err == nil {
		h.Cached("%s is kept", configPath)
		return nil
	}
	config, err := json.MarshalIndent(map[string]any{
		"default-runtime": runtimeName,
		"runtimes":        map[string]any{runtimeName: map[string]any{"path": runtimePath}},
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(s.host.path(runtimePath), runtimeWrapper, 0o755); err != nil {
		return err
	}
	if err := writeFile(s.host.path(configPath), append(config, '\n'), 0o644); err != nil {
		return err
	}
	h.Detail("%s drops CAP_SYS_RESOURCE, which this machine lacks", runtimePath)
	return nil
}

// writeFile writes a whole file and the folders above it.
func writeFile(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, mode)
}

// boundingSetHas tells whether the capability with this bit is in the bounding
// set that the given /proc/PID/status file states.
func boundingSetHas(statusFile string, bit uint) (bool, error) {
	b, err := os.ReadFile(statusFile)
	if err != nil {
		return false, fmt.Errorf("read the capability bounding set: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		value, ok := strings.CutPrefix(line, "CapBnd:")
		if !ok {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return false, fmt.Errorf("read the capability bounding set: %w", err)
		}
		return set&(1<<bit) != 0, nil
	}
	return false, fmt.Errorf("%s states no capability bounding set", statusFile)
}
