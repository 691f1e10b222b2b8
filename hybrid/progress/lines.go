package progress

import (
	"strings"
	"sync"
)

// Lines is a writer that prints each line with a prefix as soon as it is whole, so that
// several runs can tell their stories on one printer. It is safe for concurrent use.
type Lines struct {
	printer *Printer
	prefix  string

	mu   sync.Mutex
	rest string
}

// NewLines makes one for a printer; the prefix stands before a space.
func NewLines(p *Printer, prefix string) *Lines { return &Lines{printer: p, prefix: prefix} }

// Write implements io.Writer. What comes after the last end of a line waits for the next.
func (l *Lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(l.rest+string(b), "\n")
	last := len(lines) - 1
	l.rest = lines[last]
	for _, line := range lines[:last] {
		l.printer.Print(strings.TrimRight(l.prefix+" "+line, " "))
	}
	return len(b), nil
}
