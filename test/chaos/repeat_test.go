//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

const (
	// repetitions is how many runs a program does that uses Hybrid as a library.
	repetitions = 6
	// settled is when connections of a run that has ended are closed at the latest.
	settled = 10 * time.Second
)

// held is what a process holds while no run is at work.
type held struct{ goroutines, files int }

// hold waits until the process holds no more than most, as long as it may take.
func hold(t *testing.T, most held) held {
	t.Helper()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for late := time.After(settled); ; {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		now := held{runtime.NumGoroutine(), len(files)}
		if now.goroutines <= most.goroutines && now.files <= most.files {
			return now
		}
		select {
		case <-late:
			return now
		case <-tick.C:
		}
	}
}

// TestRepeatedRunsHoldNothing has one process do run after run: neither its goroutines
// nor its open files become more.
func TestRepeatedRunsHoldNothing(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "repeated"))
	var first held
	for i := range repetitions {
		var out strings.Builder
		o, err := hybrid.OptionsFrom(s.Dir, os.Getenv, &out)
		if err != nil {
			t.Fatal(err)
		}
		if err := hybrid.EndToEnd(t.Context(), s.Suite(), o); err != nil {
			t.Fatalf("run %d: %v\n%s", i+1, err, out.String())
		}
		if i == 0 {
			first = hold(t, held{})
			continue
		}
		now := hold(t, first)
		t.Logf("after run 1: %d goroutines, %d files; after run %d: %d, %d", first.goroutines, first.files, i+1, now.goroutines, now.files)
		if now.goroutines > first.goroutines || now.files > first.files {
			var stacks strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Fatalf("there are more\n%s", stacks.String())
		}
		if i == repetitions-1 {
			note(row{
				fault: fmt.Sprintf("%d runs in one process", repetitions), place: "all", left: "nothing",
				told: fmt.Sprintf("goroutines %d, then %d; files %d, then %d", first.goroutines, now.goroutines, first.files, now.files),
			})
		}
	}
}
