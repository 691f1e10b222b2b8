package progress

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// maxRows bounds the tasks shown at once; more are counted in the last row.
const maxRows = 32

// live is the area at the bottom of a terminal that shows what runs now. It is
// one bar that draws several rows and not one bar per task: mpb loses count of
// its rows when there are more of them than the terminal is high, and leaves
// rows behind. Here all of them are planned together, for the height there is.
type live struct {
	fd        int
	container *mpb.Progress
	bar       *mpb.Bar
	started   time.Time
}

// area is the terminal as mpb sees it. It takes more rows than mpb knows of.
type area struct {
	*cupwriter.Writer
	// extra is the number of rows that the frame to be flushed has besides the
	// one that mpb counts. mpb draws and flushes one after the other.
	extra int
}

// Flush implements mpb.ConsoleWriter.
func (a *area) Flush(lines int) error {
	if lines > 0 {
		lines += a.extra
	}
	return a.Writer.Flush(lines)
}

func newLive(p *Printer, fd int) *live {
	l := &live{fd: fd, started: time.Now()}
	console := &area{Writer: cupwriter.New(p.w, false)}
	l.container = mpb.New(mpb.WithConsoleWriter(console))
	rows := mpb.BarFillerFunc(func(w io.Writer, st decor.Statistics) error {
		_, height, err := term.GetSize(fd)
		if err != nil {
			// Without a size the area shrinks to its summary; an error would
			// end all drawing.
			height = 0
		}
		// One row is for the summary, one for the cursor.
		summary, tasks := p.frame(st.AvailableWidth, height-2, time.Since(l.started))
		console.extra = len(tasks)
		_, err = io.WriteString(w, strings.Join(append(tasks, summary), "\n"))
		return err
	})
	l.bar = l.container.New(0, drawnBy(rows), mpb.BarFillerTrim())
	return l
}

// drawnBy makes a filler its own builder.
type drawnBy mpb.BarFillerFunc

// Build implements mpb.BarFillerBuilder.
func (d drawnBy) Build() mpb.BarFiller { return mpb.BarFillerFunc(d) }

// write prints above the area and tells whether it could.
func (l *live) write(text string) bool {
	_, err := io.WriteString(l.container, text)
	return err == nil
}

// width is that of the terminal; zero when it is not known.
func (l *live) width() int {
	width, _, err := term.GetSize(l.fd)
	if err != nil {
		return 0
	}
	return width
}

// close removes the area and waits until the terminal has everything.
func (l *live) close() {
	l.bar.Abort(true)
	l.container.Wait()
}

// A bar takes an eighth of the width, within these bounds.
const leastBar, mostBar = 8, 20

// left is a bar and the time that is left, when a task is expected to take some time. It
// is empty when nothing is expected, when the task has taken longer, so that nobody knows,
// and on a narrow terminal.
func left(took, expected time.Duration, width int) string {
	cells := min(width/8, mostBar) //nolint:mnd // See above.
	if took >= expected || cells < leastBar {
		return ""
	}
	full := int(int64(cells) * int64(took) / int64(expected))
	rest := max(time.Second, (expected - took).Round(time.Second))
	return fmt.Sprintf("%s%s %6s left  ", strings.Repeat("━", full), strings.Repeat("─", cells-full), "~"+rest.String())
}

// frame plans what the area shows: a row per running task, oldest first, and a
// summary below them, all cut to the width; at most height rows of tasks.
func (p *Printer) frame(width, height int, total time.Duration) (summary string, rows []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A character in the last column makes some terminals wrap.
	width--
	height = min(height, maxRows)
	for i, r := range p.running {
		rest := len(p.running) - i
		if len(rows) == height-1 && rest > 1 {
			rows = append(rows, cut(fmt.Sprintf("  … and %d more", rest), width))
			break
		}
		if len(rows) >= height {
			break
		}
		took := time.Since(r.start)
		head := fmt.Sprintf("  … %-*s %8s  ", nameWidth, cut(r.name, nameWidth), elapsed(took))
		rows = append(rows, cut(head+left(took, r.expected, width)+r.line, width))
	}
	text := fmt.Sprintf("  %d running, %d ended, %s", len(p.running), p.ended, elapsed(total))
	return p.colors.dim.Sprint(cut(text, width)), rows
}
