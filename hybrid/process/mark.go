package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// MarkVariable is the environment variable by which the processes of a run are known.
// A run sets it to its mark, a text that nobody else has, and whatever it starts
// inherits it, over any number of generations.
const MarkVariable = "HYBRID_RUN"

// killEvery paces the looks at processes that were killed: they take a moment to end,
// and one may have started another just before.
const killEvery = 20 * time.Millisecond

// Marked lists the processes that carry the mark, without this one. It is empty
// where there is no /proc.
func Marked(mark string) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	want := []byte(MarkVariable + "=" + mark)
	var pids []int
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // It has ended, or belongs to somebody else.
		}
		for entry := range bytes.SplitSeq(b, []byte{0}) {
			if !bytes.Equal(entry, want) {
				continue
			}
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && pid != os.Getpid() {
				pids = append(pids, pid)
			}
			break
		}
	}
	return pids, nil
}

// KillMarked kills the processes that carry the mark and returns when they are gone.
// It tells how many there were.
func KillMarked(ctx context.Context, mark string) (int, error) {
	tick := time.NewTicker(killEvery)
	defer tick.Stop()
	killed := map[int]bool{}
	for {
		pids, err := Marked(mark)
		if err != nil || len(pids) == 0 {
			return len(killed), err
		}
		for _, pid := range pids {
			killed[pid] = true
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return len(killed), fmt.Errorf("kill process %d: %w", pid, err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return len(killed), fmt.Errorf("processes %v were killed and are still there: %w", pids, context.Cause(ctx))
		}
	}
}
