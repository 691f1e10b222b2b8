package server

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// gate is a log that takes its first write only when it is told to.
type gate struct {
	begun, goOn chan struct{}
	once        sync.Once
	writes      []string
}

func (g *gate) Write(lines []byte) (int, error) {
	g.once.Do(func() {
		close(g.begun)
		<-g.goOn
	})
	g.writes = append(g.writes, string(lines))
	return len(lines), nil
}

func TestLinesThatComeMeanwhileShareOneWrite(t *testing.T) {
	g := &gate{begun: make(chan struct{}), goOn: make(chan struct{})}
	l := NewLines(g)
	write(t, l, "first\n")
	<-g.begun
	write(t, l, "second\n")
	write(t, l, "third\n")
	close(g.goOn)
	l.Close()
	write(t, l, "late\n")
	if got := fmt.Sprintf("%q", g.writes); got != `["first\n" "second\nthird\n" "late\n"]` {
		t.Errorf("got %s", got)
	}
}

func TestNoLineIsLost(t *testing.T) {
	var out bytes.Buffer
	l := NewLines(&out)
	const writers, each = 20, 200
	long := strings.Repeat("x", 1000)
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for i := range each {
				write(t, l, fmt.Sprintf("%d %s\n", i, long))
			}
		})
	}
	group.Wait()
	l.Close()
	next := map[string]int{}
	for line := range strings.Lines(out.String()) {
		next[line]++
	}
	for i := range each {
		if got := next[fmt.Sprintf("%d %s\n", i, long)]; got != writers {
			t.Errorf("line %d is there %d times, want %d", i, got, writers)
		}
	}
}

func write(t *testing.T, l *Lines, line string) {
	t.Helper()
	if n, err := l.Write([]byte(line)); n != len(line) || err != nil {
		t.Errorf("wrote %d of %d bytes, %v", n, len(line), err)
	}
}
