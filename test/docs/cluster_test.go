//go:build cluster

package docs

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/test/sample"
)

// TestOnACluster executes the commands that take minutes, 40 in all, in a copy of the
// repository, whose clusters are its own. Run nothing else meanwhile.
func TestOnACluster(t *testing.T) {
	dir, tools := t.TempDir(), t.TempDir()
	if err := sample.Copy(t.Context(), root, dir); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "go build -o "+tools+"/mage github.com/magefile/mage")
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	t.Setenv("KUBECONFIG", filepath.Join(dir, ".hybrid", "gateway", "kubeconfig"))
	for name, steps := range onACluster() {
		t.Run(name, func(t *testing.T) {
			defer must(t, dir, "mage down")
			for _, s := range steps {
				s.take(t, dir)
			}
		})
	}
}

// take executes the step.
func (s step) take(t *testing.T, dir string) {
	t.Helper()
	command := s.command
	switch {
	case strings.Contains(command, "create token sender"):
		must(t, dir, "kubectl create serviceaccount sender")
	case strings.HasSuffix(command, ":KEY"):
		key := must(t, dir, "docker image ls --format '{{.Tag}}' hybrid.local/base/redis | head -n 1")
		if key == "" {
			t.Logf("%s: there are no stand-ins where there is a registry", command)
			return
		}
		command = strings.TrimSuffix(command, "KEY") + key
	}
	code, out := shell(t, dir, s.env, command)
	if !slices.Contains(s.exits, code) || !regexp.MustCompile(s.prints).MatchString(out) {
		t.Fatalf("%s: exit code %d, want %v, and %q in\n%s", command, code, s.exits, s.prints, out)
	}
	t.Logf("%s: exit code %d", command, code)
}

// must executes a command that is not to fail, and returns what it printed.
func must(t *testing.T, dir, command string) string {
	t.Helper()
	code, out := shell(t, dir, nil, command)
	if code != 0 {
		t.Fatalf("%s: exit code %d\n%s", command, code, out)
	}
	return strings.TrimSpace(out)
}

// shell returns the exit code of a script and what it printed.
func shell(t *testing.T, dir string, env []string, script string) (code int, out string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "bash", "-o", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", script, err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}
