package leftover

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/process"
)

// sweepTimeout bounds the removal of what one run left. Processes end within
// milliseconds, containers within seconds.
const sweepTimeout = time.Minute

// Sweep removes what runs noted in the folder have left, all of which are gone: the
// caller holds the lock of the checkout. The run current, which may be nil, is left
// out. It tells what there was, a line for each run that left something.
func Sweep(ctx context.Context, folder string, current *Run, e *engine.Engine) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for what runs have left: %w", err)
	}
	var lines []string
	var errs []error
	for _, entry := range entries {
		mark, isNote := strings.CutSuffix(entry.Name(), suffix)
		if !isNote || mark == current.Mark() {
			continue
		}
		line, err := sweep(ctx, filepath.Join(folder, entry.Name()), mark, e)
		if err != nil {
			errs = append(errs, err)
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines, errors.Join(errs...)
}

// sweep removes what one run left, processes first: they could make more.
func sweep(ctx context.Context, file, mark string, e *engine.Engine) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, sweepTimeout, fmt.Errorf("not done within %s", sweepTimeout))
	defer cancel()
	note, err := read(file, mark)
	if err != nil {
		return "", err
	}
	if note.Owner.Alive() {
		return "", nil // It lost its lock, or it is an earlier run of this process.
	}
	var found []string
	add := func(n int, one, more string) {
		switch {
		case n == 1:
			found = append(found, "1 "+one)
		case n > 1:
			found = append(found, fmt.Sprintf("%d %s", n, more))
		}
	}
	failed := func(err error) (string, error) {
		return "", fmt.Errorf("remove what run %s has left: %w", note.Run, err)
	}
	n, err := process.KillMarked(ctx, mark)
	add(n, "process", "processes")
	if err != nil {
		return failed(err)
	}
	containers, err := e.MarkedContainers(ctx, mark)
	if err != nil {
		return failed(err)
	}
	ids := make([]string, len(containers))
	for i, c := range containers {
		ids[i] = c.ID
	}
	add(len(ids), "container", "containers")
	if err := e.RemoveContainers(ctx, ids...); err != nil {
		return failed(err)
	}
	n, err = removeImages(ctx, e, note.Images)
	add(n, "image", "images")
	if err != nil {
		return failed(err)
	}
	n = 0
	for _, folder := range note.Folders {
		if _, err := os.Lstat(folder); err == nil {
			n++
		}
		if err := removeFolder(folder, mark); err != nil {
			return failed(err)
		}
	}
	add(n, "folder", "folders")
	if err := os.Remove(file); err != nil {
		return failed(err)
	}
	if len(found) == 0 {
		return "", nil
	}
	return strings.Join(found, ", ") + " of run " + note.Run + ", which was cut off", nil
}

// read takes a note that was not written to its end, since the run was killed then,
// for one of a run that left nothing: it comes first.
func read(file, mark string) (Note, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Note{}, err
	}
	var note Note
	if json.Unmarshal(b, &note) != nil {
		return Note{Run: mark, Mark: mark}, nil //nolint:nilerr // It was not written to its end.
	}
	if note.Mark != mark {
		return note, fault.With(fmt.Errorf("%s is no note of a run with this mark", file), "rm "+file)
	}
	return note, nil
}

func removeImages(ctx context.Context, e *engine.Engine, refs []string) (int, error) {
	held, err := e.Inspect(ctx, refs...)
	if err != nil {
		return 0, nil //nolint:nilerr // The client fails, too, when it holds none of them.
	}
	n := 0
	for ref := range held {
		if _, err := e.Run(ctx, nil, "image", "rm", ref); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// removeFolder removes a folder of a run with everything in it. It refuses when its
// name has not the run's mark, or when a file system is mounted below, which is not
// the run's to empty.
func removeFolder(folder, mark string) error {
	if !filepath.IsAbs(folder) || !strings.HasSuffix(filepath.Base(folder), "-"+mark) {
		return fmt.Errorf("%s is no folder of a run", folder)
	}
	if err := checkMounts(folder); err != nil {
		return err
	}
	return os.RemoveAll(folder)
}

// checkMounts tells of a file system that is mounted on the folder or below it.
func checkMounts(folder string) error {
	mounts, err := os.Open("/proc/self/mountinfo")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = mounts.Close() }()
	below := strings.TrimSuffix(folder, string(filepath.Separator)) + string(filepath.Separator)
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		if at := mountPoint(lines.Text()); at == folder || strings.HasPrefix(at, below) {
			return fault.With(fmt.Errorf("something is mounted on %s, inside of a folder of temporary files", at), "umount "+at)
		}
	}
	return lines.Err()
}

// mountPoint is the fifth field of a line of mountinfo, in which blanks and the like
// are written as octal numbers.
func mountPoint(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return ""
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
}
