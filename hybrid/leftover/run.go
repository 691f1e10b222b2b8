package leftover

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/process"
)

const (
	tempVariable = "TMPDIR"
	suffix       = ".json"
)

// Note says what belongs to a run. It lies in the checkout as long as the run is at
// work.
type Note struct {
	// Run is the run's id, for people.
	Run string `json:"run"`
	// Owner is the process of the run, Started when it began to work.
	Owner   process.Identity `json:"owner_process"`
	Started time.Time        `json:"started"`
	// Mark is the run's alone: its processes, containers and images carry it.
	Mark string `json:"mark"`
	// Folders hold what is of no use after the run. The name of each has the mark.
	Folders []string `json:"folders"`
	// Images are references that only this run uses.
	Images []string `json:"images,omitempty"`
}

// Run is a run of this process, whose leftovers can be found. It is either at work or
// idle. Since kind's library starts processes that only inherit their environment, it
// is this process's environment that carries the mark; there can be one Run at a time.
// A nil Run does nothing.
type Run struct {
	note   Note
	folder string
	guard  *process.Guard
	// before is the environment as it was, nil when the run is idle.
	before map[string]string
}

// Begin marks this process as a run that is at work; notes are kept in the folder.
// The caller must End it. Add names what else the run will leave when it is killed.
func Begin(folder, run string, add func(*Note)) (*Run, error) {
	mark := strings.ToLower(rand.Text())
	r := &Run{folder: folder, note: Note{
		Run: run, Owner: process.Self(), Mark: mark, Folders: []string{filepath.Join(os.TempDir(), "hybrid-"+mark)},
	}}
	if add != nil {
		add(&r.note)
	}
	guard, err := process.NewGuard(mark)
	if err != nil {
		return nil, err
	}
	r.guard = guard
	if err := r.Busy(); err != nil {
		return nil, errors.Join(err, r.End())
	}
	return r, nil
}

// Mark is what the run's containers are labelled with; empty for a nil Run.
func (r *Run) Mark() string {
	if r == nil {
		return ""
	}
	return r.note.Mark
}

func (r *Run) file() string { return filepath.Join(r.folder, r.note.Mark+suffix) }

// Busy says that the run is at work: what it starts from now on ends with it, and
// temporary files go to a folder of its own.
func (r *Run) Busy() error {
	if r == nil || r.before != nil {
		return nil
	}
	r.note.Started = time.Now().UTC()
	b, err := json.MarshalIndent(r.note, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.folder, 0o755); err != nil {
		return fmt.Errorf("note what belongs to the run: %w", err)
	}
	// First the note, then what it speaks of.
	if err := os.WriteFile(r.file(), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("note what belongs to the run: %w", err)
	}
	// Programs that give up root still have to get through to their own folder in it.
	if err := os.MkdirAll(r.note.Folders[0], 0o711); err != nil {
		return fmt.Errorf("make the run's folder of temporary files: %w", err)
	}
	r.before = map[string]string{}
	for name, value := range map[string]string{process.MarkVariable: r.note.Mark, tempVariable: r.note.Folders[0]} {
		if old, ok := os.LookupEnv(name); ok {
			r.before[name] = old
		}
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return r.guard.Busy()
}

// Idle says that nothing of the run is at work any more: what it started on purpose,
// such as a daemon, may outlive it. Its folders are removed.
func (r *Run) Idle() error {
	if r == nil || r.before == nil {
		return nil
	}
	errs := []error{r.guard.Idle()}
	for _, name := range []string{process.MarkVariable, tempVariable} {
		if old, ok := r.before[name]; ok {
			errs = append(errs, os.Setenv(name, old))
		} else {
			errs = append(errs, os.Unsetenv(name))
		}
	}
	r.before = nil
	for _, folder := range r.note.Folders {
		errs = append(errs, removeFolder(folder, r.note.Mark))
	}
	return errors.Join(append(errs, os.Remove(r.file()))...)
}

// End is Idle for good.
func (r *Run) End() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.Idle(), r.guard.Close())
}
