package progress

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/hybrid-e2e/hybrid/hybrid/report/github"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// A task that runs longer than firstBeat is worth a line in a plain log, and
// another one every beat, so that nobody takes minutes of silence for a hang.
const (
	firstBeat = 10 * time.Second
	beat      = 30 * time.Second
)

// Printer shows a run as it goes on. It implements task.Observer and is safe
// for concurrent use.
type Printer struct {
	w       io.Writer
	verbose bool
	colors  palette

	// out keeps lines whole and in order. It is taken before mu, and never by
	// whoever draws the live area: printing above the area waits for a drawing
	// that is under way.
	out      sync.Mutex
	expected func(phase, name string) (time.Duration, bool)
	live     *live // nil in plain mode and after Close
	heading  string
	// groups folds each phase in the log of GitHub Actions.
	groups  bool
	printed map[string]bool

	mu      sync.Mutex
	running []*running
	ended   int
	closed  bool
}

var _ task.Observer = (*Printer)(nil)

// running is a task that has not ended; guarded by Printer.mu.
type running struct {
	phase, name, line string
	start             time.Time
	expected          time.Duration // zero when it is not known
	beat              *time.Timer   // nil when the live area shows the task
}

// New makes the printer of one run on w. The caller must Close it.
func New(w io.Writer, o Options) *Printer {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	m := decide(w, o.Getenv)
	p := &Printer{w: w, verbose: o.Verbose, colors: newPalette(m.colors), groups: github.Here(o.Getenv), printed: map[string]bool{}, expected: o.Expected}
	if m.live {
		p.live = newLive(p, m.fd)
	}
	return p
}

// Print prints text, which may have several lines, above whatever is live.
func (p *Printer) Print(text string) {
	p.out.Lock()
	defer p.out.Unlock()
	p.write(strings.TrimRight(text, "\n") + "\n")
}

// write needs p.out. Output that cannot be written is lost on purpose: a closed
// pipe must not fail the run.
func (p *Printer) write(text string) {
	if p.live != nil && p.live.write(text) {
		return
	}
	_, _ = io.WriteString(p.w, text)
}

// Close takes the live area away and leaves the terminal as it was found. What
// is printed after it appears as plain lines. It may be called twice.
func (p *Printer) Close() {
	p.out.Lock()
	defer p.out.Unlock()
	p.mu.Lock()
	p.closed = true
	for _, r := range p.running {
		if r.beat != nil {
			r.beat.Stop()
		}
	}
	p.mu.Unlock()
	if p.groups {
		p.endGroup()
	}
	if p.live != nil {
		p.live.close()
		p.live = nil
	}
}

// PhaseStarted implements task.Observer.
func (p *Printer) PhaseStarted(phase string, _ time.Time) {
	p.out.Lock()
	defer p.out.Unlock()
	p.head(phase)
}

// PhaseEnded implements task.Observer. The lines of the tasks have said it all.
func (*Printer) PhaseEnded(string, time.Time) {}

// head prints the heading of a phase unless the lines above stand under it
// already. It needs p.out.
func (p *Printer) head(phase string) {
	if p.heading == phase {
		return
	}
	p.endGroup()
	p.heading = phase
	if p.groups {
		p.write("::group::" + phase + "\n")
		return
	}
	p.write(p.colors.heading.Sprint("==> "+phase) + "\n")
}

// endGroup ends what the heading began. It needs p.out.
func (p *Printer) endGroup() {
	if p.groups && p.heading != "" {
		p.write("::endgroup::\n")
	}
	p.heading = ""
}

// TaskStarted implements task.Observer.
func (p *Printer) TaskStarted(e task.Event) {
	p.out.Lock()
	isLive := p.live != nil
	p.out.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &running{phase: e.Phase, name: e.Task, start: time.Now()}
	if p.expected != nil {
		if usual, known := p.expected(e.Phase, e.Task); known {
			r.expected = usual
		}
	}
	if !isLive && !p.closed {
		r.beat = time.AfterFunc(firstBeat, func() { p.stillRunning(r) })
	}
	p.running = append(p.running, r)
}

// stillRunning shows that a long task is alive.
func (p *Printer) stillRunning(r *running) {
	p.out.Lock()
	defer p.out.Unlock()
	p.mu.Lock()
	alive := !p.closed && slices.Contains(p.running, r)
	text := "still running"
	if r.line != "" {
		text += ": " + cut(r.line, causeWidth)
	}
	if alive {
		r.beat.Reset(beat)
	}
	p.mu.Unlock()
	if alive {
		p.head(r.phase)
		p.write(line("…", r.name, time.Since(r.start), text))
	}
}

// TaskOutput implements task.Observer.
func (p *Printer) TaskOutput(phase, name, text string) {
	text = clean(text)
	if text == "" {
		return
	}
	p.mu.Lock()
	if i := p.find(phase, name); i >= 0 {
		p.running[i].line = text
	}
	p.mu.Unlock()
	if p.verbose {
		p.Print(p.colors.dim.Sprint("["+name+"]") + " " + text)
	}
}

// find needs p.mu.
func (p *Printer) find(phase, name string) int {
	return slices.IndexFunc(p.running, func(r *running) bool { return r.phase == phase && r.name == name })
}

// TaskEnded implements task.Observer.
func (p *Printer) TaskEnded(e task.Event) {
	p.out.Lock()
	defer p.out.Unlock()
	p.mu.Lock()
	p.ended++
	if i := p.find(e.Phase, e.Task); i >= 0 {
		if b := p.running[i].beat; b != nil {
			b.Stop()
		}
		p.running = slices.Delete(p.running, i, i+1)
	}
	p.mu.Unlock()
	p.head(e.Phase)
	width := 0
	if p.live != nil {
		width = p.live.width()
	}
	p.write(p.endLine(e, width))
}

// endLine is the line of a task that ended, cut to a width unless that is zero: what a
// terminal wraps is hard to read, and the whole of it is in the report.
func (p *Printer) endLine(e task.Event, width int) string {
	mark, word, paint, detail := p.colors.good.Sprint("✓"), "ok", fmt.Sprint, firstLine(e.Detail)
	switch e.Outcome {
	case task.Cached:
		word = "cached"
	case task.Failed:
		mark, word, paint = p.colors.bad.Sprint("✗"), "FAILED", p.colors.bad.Sprint
		if e.Err != nil {
			cause, _ := explain(e.Err)
			detail = cut(firstLine(cause), causeWidth)
		}
	case task.Canceled:
		mark, word, paint = p.colors.dim.Sprint("-"), "canceled", p.colors.dim.Sprint
	}
	name := e.Task
	if width > 0 {
		room := width - 1 - len(word) - runewidth.StringWidth(line("✓", "", 0, "")) + nameWidth
		name = cut(name, room)
		detail = cut(detail, room-max(nameWidth, runewidth.StringWidth(name))-len(": "))
	}
	word = paint(word)
	if detail != "" {
		word += ": " + detail
	}
	return line(mark, name, e.Elapsed, word)
}

// nameWidth is the width of the column of names, which a longer name leaves.
const nameWidth = 26

// line puts mark, name and time under those of the lines above.
func line(mark, name string, d time.Duration, text string) string {
	return fmt.Sprintf("  %s %-*s %8s  %s\n", mark, nameWidth, name, elapsed(d), text)
}
