package progress

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"

	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// terminal is a pseudo-terminal whose output is kept, and shown on a screen.
type terminal struct {
	screen      vt10x.Terminal
	tty, master *os.File
	done        chan struct{}

	mu    sync.Mutex
	more  *sync.Cond
	bytes bytes.Buffer
	drawn int // How many of the bytes the screen has got.
	ended bool
}

func openTerminal(t *testing.T, rows, cols uint16) *terminal {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(tty, &pty.Winsize{Rows: rows, Cols: cols}); err != nil {
		t.Fatal(err)
	}
	x := &terminal{screen: vt10x.New(vt10x.WithSize(int(cols), int(rows))), tty: tty, master: master, done: make(chan struct{})}
	x.more = sync.NewCond(&x.mu)
	go func() {
		defer close(x.done)
		// Reading ends with an error once the other side is closed.
		_, _ = io.Copy(x, master)
		x.mu.Lock()
		x.ended = true
		x.mu.Unlock()
		x.more.Broadcast()
	}()
	t.Cleanup(func() { _, _ = master.Close(), tty.Close() })
	return x
}

func (x *terminal) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer x.more.Broadcast()
	n, err := x.bytes.Write(p)
	// The screen takes whole characters only.
	rest := x.bytes.Bytes()[x.drawn:]
	whole := len(rest)
	for i := 1; i <= min(utf8.UTFMax, len(rest)); i++ {
		if tail := rest[len(rest)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				whole -= i
			}
			break
		}
	}
	_, _ = x.screen.Write(rest[:whole])
	x.drawn += whole
	return n, err
}

// await blocks until the terminal was sent the text; the deadline of the test
// run ends a wait that is in vain.
func (x *terminal) await(t *testing.T, text string) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	for !strings.Contains(x.bytes.String(), text) {
		if x.ended {
			t.Fatalf("the terminal was closed before it showed %q", text)
		}
		x.more.Wait()
	}
}

// finish closes the terminal and gives everything it was sent.
func (x *terminal) finish() string {
	_ = x.tty.Close()
	<-x.done
	return x.bytes.String()
}

var control = regexp.MustCompile(`^\x1b\[([0-9;]*)([A-Za-z])`)

// screen plays output on a terminal of that size and gives all lines that are
// left, those that scrolled away included.
func screen(t *testing.T, output string, height, width int) []string {
	t.Helper()
	lines, row, col := []string{""}, 0, 0
	down := func() {
		if row++; row == len(lines) {
			lines = append(lines, "")
		}
	}
	for output != "" {
		if m := control.FindStringSubmatch(output); m != nil {
			output = output[len(m[0]):]
			switch m[2] {
			case "A":
				n, _ := strconv.Atoi(m[1])
				row = max(row-n, len(lines)-height, 0)
			case "J":
				lines = append(lines[:row], strings.Repeat("?", col))
			case "m":
			default:
				t.Fatalf("the terminal was sent %q", m[0])
			}
			continue
		}
		r := []rune(output)[0]
		output = output[len(string(r)):]
		switch r {
		case '\r':
			col = 0
		case '\n':
			down()
		default:
			if col == width {
				down()
				col = 0
			}
			if len([]rune(lines[row])) != col {
				t.Fatalf("%q is written over %q", r, lines[row])
			}
			lines[row] += string(r)
			col++
		}
	}
	if row != len(lines)-1 || col != 0 {
		t.Errorf("the cursor is left at row %d of %d, column %d", row+1, len(lines), col)
	}
	return lines
}

func TestLiveAreaEndsClean(t *testing.T) {
	x := openTerminal(t, 24, 60)
	p := New(x.tty, Options{Getenv: env(map[string]string{"TERM": "xterm"})})
	p.PhaseStarted("build", time.Time{})
	for _, name := range []string{"image.a", "image.b"} {
		p.TaskStarted(started("build", name))
		p.TaskOutput("build", name, "step 1 of "+name+strings.Repeat(" and a long tail", 5))
	}
	x.await(t, "step 1 of image.b")
	p.TaskEnded(ended("build", "image.a", time.Second, task.Done, "4 packages", nil))
	p.TaskOutput("build", "image.b", "\x1b[2Kstep 2")
	x.await(t, "step 2")
	p.TaskEnded(ended("build", "image.b", 2*time.Second, task.Cached, "", nil))
	p.Close()
	p.Print("the end")
	output := x.finish()
	want := []string{
		"==> build",
		"  ✓ image.a                        1.0s  ok: 4 packages",
		"  ✓ image.b                        2.0s  cached",
		"the end",
		"",
	}
	if got := screen(t, output, 24, 60); !slices.Equal(got, want) {
		t.Errorf("the screen is left with\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(output, "\x1b[32m✓\x1b[0m") {
		t.Error("a terminal got no colours")
	}
}

func TestLiveAreaLargerThanTheTerminal(t *testing.T) {
	const tasks = 100
	x := openTerminal(t, 10, 50)
	p := New(x.tty, Options{Verbose: true, Getenv: env(map[string]string{"NO_COLOR": "1"})})
	p.PhaseStarted("build", time.Time{})
	want := []string{"==> build"}
	for i := range tasks {
		name := fmt.Sprintf("t%03d", i)
		p.TaskStarted(started("build", name))
		p.TaskOutput("build", name, "works")
		want = append(want, "["+name+"] works")
	}
	x.await(t, "… and 93 more")
	for i := range tasks {
		name := fmt.Sprintf("t%03d", i)
		p.TaskEnded(ended("build", name, time.Second, task.Done, "", nil))
		want = append(want, fmt.Sprintf("  ✓ %-26s     1.0s  ok", name))
	}
	p.Close()
	output := x.finish()
	if got := screen(t, output, 10, 50); !slices.Equal(got, append(want, "")) {
		t.Errorf("the screen is left with\n%s", strings.Join(got, "\n"))
	}
	if regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(output) {
		t.Error("NO_COLOR is set, but there are colours")
	}
}

func TestDecideOnATerminal(t *testing.T) {
	x := openTerminal(t, 24, 80)
	fd := int(x.tty.Fd())
	for name, c := range map[string]struct {
		env  map[string]string
		want mode
	}{
		"terminal":    {nil, mode{live: true, colors: true, fd: fd}},
		"no colours":  {map[string]string{"NO_COLOR": "1"}, mode{live: true, fd: fd}},
		"CI":          {map[string]string{"CI": "true"}, mode{}},
		"CI is false": {map[string]string{"CI": "false"}, mode{live: true, colors: true, fd: fd}},
		"dumb":        {map[string]string{"TERM": "dumb"}, mode{}},
	} {
		if got := decide(x.tty, env(c.env)); got != c.want {
			t.Errorf("%s: mode %+v, want %+v", name, got, c.want)
		}
	}
}

func TestFrame(t *testing.T) {
	p := New(&bytes.Buffer{}, Options{})
	defer p.Close()
	p.ended = 7
	for i := range 4 {
		p.running = append(p.running, &running{name: fmt.Sprintf("t%d", i), line: "works and works", start: time.Now()})
	}
	row := func(i int) string { return fmt.Sprintf("  … t%d                             0.0s  work…", i) }
	for height, want := range map[int][]string{
		-2: nil,
		0:  nil,
		1:  {"  … and 4 more"},
		3:  {row(0), row(1), "  … and 2 more"},
		4:  {row(0), row(1), row(2), row(3)},
		99: {row(0), row(1), row(2), row(3)},
	} {
		summary, rows := p.frame(47, height, 62*time.Second)
		if summary != "  4 running, 7 ended, 1m02s" || !slices.Equal(rows, want) {
			t.Errorf("height %d: %q, rows\n%s\nwant\n%s", height, summary, strings.Join(rows, "\n"), strings.Join(want, "\n"))
		}
	}
}
