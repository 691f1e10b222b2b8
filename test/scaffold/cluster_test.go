//go:build cluster

package scaffold_test

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestBothShapesPassOnACluster writes a suite of each shape as a person would and runs it.
func TestBothShapesPassOnACluster(t *testing.T) {
	dir := newCopy(t)
	passed := regexp.MustCompile(`(?m)^[1-9][0-9]* passed, 0 failed, 0 skipped$`)
	made := regexp.MustCompile(` node\.preload .* ok: (\S+), `)
	for _, args := range [][]string{{service}, {controller, "-controller"}} {
		t.Cleanup(func() { removeImages(t, images(t, "hybrid.local/"+args[0])...) })
		command(t, dir, append([]string{"go", "tool", "mage", "new:suite"}, args...)...)
		out := command(t, dir, "go", "tool", "mage", "e2e:"+args[0])
		if node := made.FindStringSubmatch(out); node != nil {
			t.Cleanup(func() { removeImages(t, node[1]) })
		}
		if result := passed.FindString(out); result == "" {
			t.Errorf("%s printed\n%s", args[0], out)
		} else {
			t.Logf("%s: %s", args[0], result)
		}
	}
	command(t, dir, "go", "tool", "mage", "verify")
}

// images are those of a repository that the engine has.
func images(t *testing.T, repository string) []string {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).Output()
	if err != nil {
		t.Error(err)
	}
	return strings.Fields(string(out))
}

func removeImages(t *testing.T, references ...string) {
	t.Helper()
	for _, image := range references {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", "image", "rm", "--no-prune", image).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}
