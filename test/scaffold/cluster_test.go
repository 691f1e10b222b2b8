//go:build cluster

package scaffold_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestBothShapesPassOnACluster writes a suite of each shape as a person would and runs it.
func TestBothShapesPassOnACluster(t *testing.T) {
	dir := newCopy(t)
	forgetImages(t)
	for _, args := range [][]string{{service}, {controller, "-controller"}} {
		command(t, dir, append([]string{"go", "tool", "mage", "new:suite"}, args...)...)
		out := command(t, dir, "go", "tool", "mage", "e2e:"+args[0])
		result := func(line string) bool { return strings.HasSuffix(line, " passed, 0 failed, 0 skipped\n") }
		lines := slices.Collect(strings.Lines(out))
		i := slices.IndexFunc(lines, result)
		if i < 0 || strings.HasPrefix(lines[i], "0 ") {
			t.Errorf("%s printed\n%s", args[0], out)
			continue
		}
		t.Logf("%s: %s", args[0], lines[i])
	}
	command(t, dir, "go", "tool", "mage", "verify")
}

// forgetImages removes what the suites of this test have built, when it has ended.
func forgetImages(t *testing.T) {
	t.Helper()
	const nodes = "hybrid.local/kindest-node-preloaded"
	references := func(ctx context.Context, repository string) []string {
		out, err := exec.CommandContext(ctx, "docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	before := references(t.Context(), nodes)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		made := slices.Concat(references(ctx, "hybrid.local/"+service), references(ctx, "hybrid.local/"+controller))
		for _, node := range references(ctx, nodes) {
			if !slices.Contains(before, node) {
				made = append(made, node)
			}
		}
		for _, image := range made {
			if out, err := exec.CommandContext(ctx, "docker", "image", "rm", image).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
	})
}
