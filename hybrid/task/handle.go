package task

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
)

// Handle is what a running task uses to tell about itself. It is an io.Writer
// for the output of the task's commands, which goes to the task's log file and,
// line by line, to the observer.
type Handle struct {
	phase, task, path string
	observer          Observer

	mu      sync.Mutex
	file    *os.File
	partial []byte
	outcome Outcome
	detail  string
}

// Write implements io.Writer; it never fails, since a full disk must not hide
// the command's own result.
func (h *Handle) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file != nil {
		_, _ = h.file.Write(p)
	}
	h.partial = append(h.partial, p...)
	for {
		i := bytes.IndexAny(h.partial, "\n\r")
		if i < 0 {
			break
		}
		h.emit(string(h.partial[:i]))
		h.partial = h.partial[i+1:]
	}
	return len(p), nil
}

// Status says in a few words what the task is doing now.
func (h *Handle) Status(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	line := fmt.Sprintf(format, args...)
	if h.file != nil {
		_, _ = fmt.Fprintln(h.file, line)
	}
	h.emit(line)
}

// Detail sets the remark shown behind the task's time, such as "4 packages".
func (h *Handle) Detail(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.detail = fmt.Sprintf(format, args...)
}

// Cached marks the task as one that found its result already made and sets its
// remark.
func (h *Handle) Cached(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outcome, h.detail = Cached, fmt.Sprintf(format, args...)
}

// LogFile is the path of the task's log, empty when the group keeps none.
func (h *Handle) LogFile() string { return h.path }

func (h *Handle) emit(line string) {
	if line = strings.TrimSpace(line); line != "" && h.observer != nil {
		h.observer.TaskOutput(h.phase, h.task, line)
	}
}

// close flushes the last line and removes a log that stayed empty.
func (h *Handle) close() (Outcome, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.emit(string(h.partial))
	h.partial = nil
	if h.file != nil {
		info, err := h.file.Stat()
		_ = h.file.Close()
		h.file = nil
		if err == nil && info.Size() == 0 {
			_ = os.Remove(h.path)
			h.path = ""
		}
	}
	return h.outcome, h.detail
}
