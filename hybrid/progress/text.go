package progress

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// causeWidth bounds the cause in a task's own line; the whole of it is printed
// with the failure of the run.
const causeWidth = 160

// escapes are the terminal's escape sequences: CSI, OSC and the short ones.
var escapes = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\^_])`)

// harmless takes out of a line of foreign output what would move the cursor or
// change colours, and the space at its end. Its indentation stays.
func harmless(line string) string {
	line = strings.ReplaceAll(escapes.ReplaceAllString(line, ""), "\t", "    ")
	line = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, line)
	return strings.TrimRightFunc(line, unicode.IsSpace)
}

// clean is harmless without indentation.
func clean(line string) string { return strings.TrimSpace(harmless(line)) }

// firstLine is the first line of text that says something, made harmless.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = clean(line); line != "" {
			return line
		}
	}
	return ""
}

// cut shortens text to so many columns of a terminal.
func cut(text string, width int) string {
	if width <= 0 {
		return ""
	}
	return runewidth.Truncate(text, width, "…")
}

// elapsed is a duration at the precision that a person wants: 12.3s, 2m10s,
// 1h02m.
func elapsed(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// explain divides a failure into its cause, without the phase and task that are
// printed beside it, and the end of the output of the command that failed.
func explain(err error) (cause, output string) {
	if t := (*task.Error)(nil); errors.As(err, &t) {
		err = t.Err
	}
	cause = err.Error()
	if c := (*command.Error)(nil); errors.As(err, &c) && c.Tail != "" {
		cause, output = strings.Replace(cause, "\n"+c.Tail, "", 1), c.Tail
	}
	return cause, output
}
