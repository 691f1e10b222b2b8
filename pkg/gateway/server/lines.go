package server

import (
	"io"
	"runtime"
	"sync"
)

// maxPending is how many bytes of lines wait at most, some thousand lines.
const maxPending = 1 << 20

// Lines passes on what is written to it, all that has come meanwhile with one write.
// Each write to a container's log wakes two processes of the container engine: with two
// lines for each signal that is an eighth of all processor time of a full node. Nothing
// is held back: a line waits only for the write before it. Make one with NewLines.
type Lines struct {
	out io.Writer

	mu      sync.Mutex
	changed *sync.Cond
	pending []byte
	closed  bool
	ended   chan struct{}
}

// NewLines begins to pass on to out. Errors of out are dropped, as those of any log.
func NewLines(out io.Writer) *Lines {
	l := &Lines{out: out, ended: make(chan struct{})}
	l.changed = sync.NewCond(&l.mu)
	go l.run()
	return l
}

// Write takes whole lines. It waits only while too many are pending.
func (l *Lines) Write(lines []byte) (int, error) {
	if l.append(lines) {
		return len(lines), nil
	}
	<-l.ended
	return l.out.Write(lines)
}

// append is false after Close.
func (l *Lines) append(lines []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) > maxPending && !l.closed {
		l.changed.Wait()
	}
	if !l.closed {
		l.pending = append(l.pending, lines...)
		l.changed.Broadcast()
	}
	return !l.closed
}

// Close returns once everything is written. Later lines are written one by one.
func (l *Lines) Close() {
	l.mu.Lock()
	l.closed = true
	l.changed.Broadcast()
	l.mu.Unlock()
	<-l.ended
}

func (l *Lines) run() {
	defer close(l.ended)
	var batch []byte
	for {
		if batch = l.take(batch[:0]); len(batch) == 0 {
			return
		}
		_, _ = l.out.Write(batch)
	}
}

// take waits for lines and returns them, or none at the end. The empty buffer is for
// those that come next.
func (l *Lines) take(empty []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) == 0 && !l.closed {
		l.changed.Wait()
	}
	l.mu.Unlock()
	runtime.Gosched() // Those who have been woken by the same answer join in.
	l.mu.Lock()
	taken := l.pending
	l.pending = empty
	l.changed.Broadcast()
	return taken
}
