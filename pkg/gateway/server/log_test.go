package server

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// writes counts how often something is written.
type writes struct {
	mu    sync.Mutex
	text  bytes.Buffer
	count int
	wrote chan struct{}
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	w.wrote <- struct{}{}
	return w.text.Write(p)
}

func (w *writes) now() (count, lines int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count, strings.Count(w.text.String(), "\n")
}

func TestLinesAreWrittenTogether(t *testing.T) {
	w := &writes{wrote: make(chan struct{}, 10)}
	lines := Lines(w)
	logger := NewLogger(lines, nil)
	began := time.Now()
	for range 100 {
		logger.Info("request answered")
	}
	<-w.wrote
	if count, n := w.now(); count != 1 || n != 100 || time.Since(began) > 50*flushEvery {
		t.Errorf("%d lines in %d writes after %s", n, count, time.Since(began))
	}
}

func TestWarningsAndTheEndWaitForNobody(t *testing.T) {
	w := &writes{wrote: make(chan struct{}, 10)}
	lines := Lines(w)
	logger := NewLogger(lines, nil).With("a", "b").WithGroup("g")
	logger.Info("first")
	logger.Warn("second")
	if _, n := w.now(); n != 2 {
		t.Errorf("%d lines after a warning, want 2", n)
	}
	logger.Error("third")
	if _, n := w.now(); n != 3 {
		t.Errorf("%d lines after an error, want 3", n)
	}
	logger.Info("fourth")
	if err := lines.Stop(); err != nil {
		t.Error(err)
	}
	if _, n := w.now(); n != 4 {
		t.Errorf("%d lines in the end, want 4", n)
	}
}
