package docs

import (
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// TestEveryCommandIsExecuted wants each command of a block on any page to be known: it is
// executed by a test of this package, or by the test or step of CI that a table names. What the tables have and no page has is an error, too.
func TestEveryCommandIsExecuted(t *testing.T) {
	known := map[string]bool{}
	for _, row := range elsewhere() {
		known[row.command] = false
		if !strings.Contains(read(t, row.file), row.text) {
			t.Errorf("%q: %s has no %q", row.command, row.file, row.text)
		}
	}
	for _, trial := range here() {
		known[trial.command] = false
	}
	for _, steps := range onACluster() {
		for _, s := range steps {
			known[s.command] = false
		}
	}
	for _, p := range pages(t) {
		for _, block := range p.Blocks {
			switch {
			case block.Language == "":
				t.Errorf("%s:%d: the block has no language; sh is for commands, console for commands with output, text for output",
					p.name, block.Line)
			case block.Language == "sh" && requests(p.name) != "":
				if file := requests(p.name); !strings.Contains(read(t, file), "shell.Run(") {
					t.Errorf("%s: its requests are not sent by %s", p.name, file)
				}
			case isShell(block.Language):
				for _, command := range commands(t, script(block.Text)) {
					if _, ok := known[command]; !ok {
						t.Errorf("%s:%d: nothing executes %q", p.name, block.Line, command)
					}
					known[command] = true
				}
			}
		}
	}
	for command, shown := range known {
		if !shown {
			t.Errorf("%q is on no page", command)
		}
	}
}

// TestTheCommandsThatAreQuick executes them as the pages have them.
func TestTheCommandsThatAreQuick(t *testing.T) {
	for _, trial := range here() {
		arguments := strings.Fields(trial.command)
		if arguments[0] == "mage" {
			arguments = append([]string{"go", "tool"}, arguments...)
		}
		cmd := exec.CommandContext(t.Context(), arguments[0], arguments[1:]...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatalf("%s: %v", trial.command, err)
		}
		if code := cmd.ProcessState.ExitCode(); !slices.Contains(trial.exits, code) || !regexp.MustCompile(trial.prints).Match(out) {
			t.Errorf("%s: exit code %d, want %v, and %q in\n%s", trial.command, code, trial.exits, trial.prints, out)
		}
	}
}

// commands are those of a script. Plain assignments are none.
func commands(t *testing.T, text string) []string {
	t.Helper()
	all, err := statements(text)
	if err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
	var list []string
	for _, s := range all {
		call, ok := s.Cmd.(*syntax.CallExpr)
		if command := printed(t, s); !ok || len(call.Args) > 0 || strings.Contains(command, "$(") {
			list = append(list, command)
		}
	}
	return list
}
