package progress

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestLinesKeepLinesWhole(t *testing.T) {
	var out bytes.Buffer
	p := New(&out, Options{Getenv: func(string) string { return "" }})
	first, second := NewLines(p, "1/2"), NewLines(p, "2/2")
	for _, text := range []string{"a", "b\n\nc\n", "d"} {
		fmt.Fprint(first, text)
	}
	fmt.Fprint(second, "x\n")
	if got, want := out.String(), "1/2 ab\n1/2\n1/2 c\n2/2 x\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLinesOfSeveralRunsAreNotMixed(t *testing.T) {
	var out bytes.Buffer
	p := New(&out, Options{Getenv: func(string) string { return "" }})
	var group sync.WaitGroup
	for i := range 4 {
		lines := NewLines(p, fmt.Sprint(i))
		group.Go(func() {
			for range 100 {
				fmt.Fprint(lines, strings.Repeat(fmt.Sprint(i), 50)+"\n")
			}
		})
	}
	group.Wait()
	for i := range 4 {
		if got := strings.Count(out.String(), fmt.Sprintf("%d %s\n", i, strings.Repeat(fmt.Sprint(i), 50))); got != 100 {
			t.Errorf("%d whole lines of run %d, want 100", got, i)
		}
	}
}
