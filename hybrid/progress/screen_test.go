package progress

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

var (
	clock = regexp.MustCompile(`\d\.\ds`)
	eta   = regexp.MustCompile(`~19m\d\ds left`)
)

// patience bounds a wait for the screen, which is drawn several times a second.
const patience = 9 * time.Second

// shows waits until the screen has these lines, all times told as 0.0s.
func (x *terminal) shows(t *testing.T, want []string) {
	t.Helper()
	start := time.Now()
	defer time.AfterFunc(patience, x.more.Broadcast).Stop()
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		var got []string
		for line := range strings.Lines(strings.TrimRight(x.screen.String(), " \n")) {
			line = clock.ReplaceAllString(strings.TrimRight(line, " \n"), "0.0s")
			got = append(got, eta.ReplaceAllString(line, "~19m59s left"))
		}
		if slices.Equal(got, want) {
			return
		}
		if x.ended || time.Since(start) >= patience {
			t.Fatalf("the screen has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		x.more.Wait()
	}
}

// resize changes what programs take for the size; the screen follows later, so that no
// frame for the old width is drawn on the new screen.
func (x *terminal) resize(t *testing.T, cols uint16) {
	t.Helper()
	if err := pty.Setsize(x.tty, &pty.Winsize{Rows: rows, Cols: cols}); err != nil {
		t.Fatal(err)
	}
}

const (
	rows     = 24
	longName = "deploy.something-with-a-very-long-name"
)

// longText is longer than any terminal here is wide.
func longText() string { return strings.Repeat("and then it waits ", 20) }

// fit is text on a terminal of that width, of which the last column stays free.
func fit(text string, width int) string {
	if all := []rune(text); len(all) >= width {
		return string(all[:width-2]) + "…"
	}
	return text
}

// above and below are what the example shows of what ended and what runs.
func above(width int) []string {
	return []string{"==> deploy", fit("  ✓ deploy.redis                   0.0s  cached: "+longText(), width)}
}

func below(width int) []string {
	return []string{
		fit("  … deploy.gateway                 0.0s  "+strings.Repeat("─", min(20, (width-1)/8))+" ~19m59s left  "+longText(), width),
		fit("  … deploy.something-with-a-v…     0.0s  "+longText(), width),
		"  2 running, 1 ended, 0.0s",
	}
}

// begin shows a run with two tasks, one of which is known to take long.
func begin(x *terminal) *Printer {
	p := New(x.tty, Options{Getenv: env(map[string]string{"NO_COLOR": "1"}), Expected: func(phase, name string) (time.Duration, bool) {
		return 20*time.Minute - time.Second, phase == "deploy" && name == "deploy.gateway"
	}})
	p.PhaseStarted("deploy", time.Time{})
	for _, name := range []string{"deploy.gateway", longName} {
		p.TaskStarted(started("deploy", name))
		p.TaskOutput("deploy", name, longText())
	}
	p.TaskStarted(started("deploy", "deploy.redis"))
	p.TaskEnded(ended("deploy", "deploy.redis", 0, task.Cached, longText(), nil))
	return p
}

// end ends the tasks and gives what they leave on the screen.
func end(p *Printer, width int) []string {
	p.TaskEnded(ended("deploy", "deploy.gateway", 0, task.Done, "", nil))
	p.TaskEnded(ended("deploy", longName, 0, task.Failed, "", errors.New(longText())))
	p.Close()
	p.Print("the end")
	return []string{
		"  ✓ deploy.gateway                 0.0s  ok",
		fit("  ✗ deploy.something-with-a-very-long-name     0.0s  FAILED: "+cut(longText(), causeWidth), width),
		"the end",
	}
}

func TestScreen(t *testing.T) {
	for _, width := range []int{80, 200} {
		x := openTerminal(t, rows, uint16(width))
		p := begin(x)
		x.shows(t, append(above(width), below(width)...))
		left := end(p, width)
		x.finish()
		x.shows(t, append(above(width), left...))
	}
}

func TestScreenThatIsResized(t *testing.T) {
	x := openTerminal(t, rows, 200)
	p := begin(x)
	x.shows(t, append(above(200), below(200)...))
	x.resize(t, 80)
	x.shows(t, append(above(200), below(80)...))
	x.screen.Resize(80, rows)
	cutOff := above(200)
	cutOff[1] = string([]rune(cutOff[1])[:80])
	x.shows(t, append(slices.Clone(cutOff), below(80)...))
	x.screen.Resize(200, rows)
	x.resize(t, 200)
	x.shows(t, append(slices.Clone(cutOff), below(200)...))
	left := end(p, 200)
	x.finish()
	x.shows(t, append(slices.Clone(cutOff), left...))
}

func TestLeft(t *testing.T) {
	for name, c := range map[string]struct {
		took, expected time.Duration
		width          int
		want           string
	}{
		"at first":      {0, 40 * time.Second, 80, "──────────   ~40s left  "},
		"half":          {20 * time.Second, 40 * time.Second, 80, "━━━━━─────   ~20s left  "},
		"nearly":        {39900 * time.Millisecond, 40 * time.Second, 80, "━━━━━━━━━─    ~1s left  "},
		"longer":        {40 * time.Second, 40 * time.Second, 80, ""},
		"minutes":       {0, 100 * time.Second, 64, "──────── ~1m40s left  "},
		"wide":          {5 * time.Second, 20 * time.Second, 200, "━━━━━───────────────   ~15s left  "},
		"narrow":        {0, 40 * time.Second, 63, ""},
		"not known":     {0, 0, 80, ""},
		"still unknown": {time.Second, 0, 80, ""},
	} {
		if got := left(c.took, c.expected, c.width); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestPlainHasNoControlCharacters(t *testing.T) {
	const dirty = "\x1b[2Ja\tb\rc\x07d\x7f\u009be"
	var w buffer
	p := New(&w, Options{Verbose: true, Getenv: env(map[string]string{"CI": "true", "TERM": "xterm-256color"})})
	p.PhaseStarted("build", time.Time{})
	for _, outcome := range []task.Outcome{task.Done, task.Cached, task.Failed, task.Canceled} {
		p.TaskStarted(started("build", string(outcome)))
		p.TaskOutput("build", string(outcome), dirty)
		p.TaskEnded(ended("build", string(outcome), time.Second, outcome, dirty, errors.New(dirty)))
	}
	p.Close()
	if strings.Count(w.String(), "\n") != 9 {
		t.Errorf("printed\n%s\nwant 9 lines", w.String())
	}
	for i, r := range w.String() {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			t.Errorf("%q stands at %d of %q", r, i, w.String())
		}
	}
}
