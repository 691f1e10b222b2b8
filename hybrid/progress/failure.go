package progress

import (
	"errors"
	"io"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// item is one failure to print, with the next step for it.
type item struct {
	err  error
	next string
}

// Failure prints err: one block per failed task in the order they are joined,
// each with its cause, the end of the output, the log file and the next command.
// A block that was printed before is not printed again; nil prints nothing.
func (p *Printer) Failure(err error) {
	if err == nil {
		return
	}
	p.out.Lock()
	defer p.out.Unlock()
	for _, it := range items(err) {
		if text := p.block(it); !p.printed[text] {
			p.printed[text] = true
			p.write(text)
		}
	}
}

// Tell prints err to out as Failure does, and returns it; nil prints nothing.
func Tell(out io.Writer, getenv func(string) string, err error) error {
	if err != nil {
		p := New(out, Options{Getenv: getenv})
		p.Failure(err)
		p.Close()
	}
	return err
}

// items takes the tree of err apart down to the tasks' errors, whose phase and
// task say more than the words of wrappers around them, and at joined errors of
// which any brings its own next step. A next step that belongs to a whole
// wrapper stands once, last.
func items(err error) []item {
	if t := (*task.Error)(nil); !errors.As(err, &t) && !joinsFaults(err) {
		return []item{{err, fault.Next(err)}}
	}
	switch x := err.(type) { //nolint:errorlint // The tree is walked level by level, which errors.As would skip.
	case *task.Error:
		return []item{{x, fault.Next(x)}}
	case *fault.Error:
		all := items(x.Err)
		if last := len(all) - 1; last >= 0 && all[last].next == "" {
			all[last].next = x.Next
		}
		return all
	case interface{ Unwrap() []error }:
		var all []item
		for _, e := range x.Unwrap() {
			all = append(all, items(e)...)
		}
		return all
	case interface{ Unwrap() error }:
		return items(x.Unwrap())
	}
	return []item{{err, fault.Next(err)}}
}

// joinsFaults tells whether err is a plain join, made by errors.Join, of errors
// that bring next steps of their own.
func joinsFaults(err error) bool {
	join, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return false
	}
	var texts []string
	next := false
	for _, e := range join.Unwrap() {
		texts = append(texts, e.Error())
		next = next || fault.Next(e) != ""
	}
	return next && strings.Join(texts, "\n") == err.Error()
}

// block is the text of one failure.
func (p *Printer) block(it item) string {
	var b strings.Builder
	b.WriteString("\n" + p.colors.bad.Sprint("FAILED"))
	logFile := ""
	if t := (*task.Error)(nil); errors.As(it.err, &t) {
		b.WriteString("  " + p.colors.heading.Sprint(t.Phase+": "+t.Task))
		logFile = t.LogFile
	}
	b.WriteString("\n")
	cause, output := explain(it.err)
	field(&b, "cause", cause)
	field(&b, "output", output)
	field(&b, "log", logFile)
	field(&b, "next", it.next)
	return b.String()
}

// field writes a labelled text, its further lines under the first.
func field(b *strings.Builder, label, text string) {
	for l := range strings.Lines(text) {
		if l = harmless(l); l == "" {
			continue
		}
		b.WriteString("  " + label + strings.Repeat(" ", 8-len(label)) + l + "\n")
		label = ""
	}
}
