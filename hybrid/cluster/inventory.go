package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/process"
)

// Inventory knows the clusters of one checkout, by their records, and those of the
// same user's other checkouts, by their leases.
type Inventory struct {
	// Checkout is the absolute path of the repository.
	Checkout string
	// Leases is where other checkouts tell of their clusters.
	Leases Leases
	// Runner runs the engines' clients.
	Runner command.Runner
	// Now gives the time.
	Now func() time.Time

	// detect finds an engine by its kind; nil means engine.Detect.
	detect func(ctx context.Context, kind string) (*engine.Engine, error)
}

// engine finds the engine that runs a cluster.
func (v Inventory) engine(ctx context.Context, kind string) (*engine.Engine, error) {
	if v.detect != nil {
		return v.detect(ctx, kind)
	}
	return engine.Detect(ctx, v.Runner, kind)
}

// Outcome tells what became of one cluster.
type Outcome struct {
	Name, Suite, Checkout string
	// Deleted tells whether it is gone now; else it was left alone.
	Deleted bool
	// Reason says why, in a few words.
	Reason string
}

// own lists the clusters of the checkout: those with a record in it, and those whose
// lease alone is left, since somebody cleaned the checkout. Leases that cannot be read
// are told apart, in leaseErr: they may be anybody's.
func (v Inventory) own() (records []Record, leaseErr, err error) {
	folder := filepath.Join(v.Checkout, StateFolder)
	var files []string
	// Comparisons keep a state folder of their own inside that of the suite.
	for _, pattern := range []string{"*/" + recordFile, "*/*/" + recordFile} {
		found, err := fs.Glob(os.DirFS(folder), pattern)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, found...)
	}
	var errs []error
	for _, file := range files {
		r, err := v.ownRecord(filepath.Join(folder, filepath.Dir(file)))
		if err != nil {
			errs = append(errs, fault.With(err, "rm "+filepath.Join(folder, file)))
		}
		if r != nil {
			records = append(records, *r)
		}
	}
	leases, leaseErr := v.Leases.list()
	for _, l := range leases {
		if l.Checkout == v.Checkout && !slices.ContainsFunc(records, func(r Record) bool { return r.Config.Name == l.Config.Name }) {
			records = append(records, l)
		}
	}
	return records, leaseErr, errors.Join(errs...)
}

// ownRecord reads the record in a state folder of the checkout. A record that came
// with a copy of another checkout speaks of the other one's cluster: it is nil then.
func (v Inventory) ownRecord(state string) (*Record, error) {
	r, err := readRecord(state)
	if err != nil || r == nil {
		return nil, err
	}
	if r.State != "" && r.State != state && !sameFile(filepath.Join(r.State, recordFile), filepath.Join(state, recordFile)) {
		if original, err := readRecord(r.State); err == nil && original != nil && original.Started.Equal(r.Started) {
			return nil, nil
		}
	}
	r.Checkout, r.State = v.Checkout, state
	return r, nil
}

// sameFile tells whether two paths lead to one file.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// find gives the cluster that the checkout has in a state folder, nil when it has
// none. A record that is not ours is no reason to fail; it will be written over.
func (v Inventory) find(name, state string) (*Record, error) {
	r, err := v.ownRecord(state)
	if err != nil || r != nil {
		return r, err
	}
	lease, err := v.Leases.get(name)
	if err != nil || lease == nil || lease.Checkout != v.Checkout || lease.State != state {
		return nil, err
	}
	return lease, nil
}

// Reap deletes the clusters of the checkout whose run has ended without deleting
// them, and those that were kept and have expired. The caller holds the lock.
func (v Inventory) Reap(ctx context.Context, out io.Writer) ([]Outcome, error) {
	records, leaseErr, err := v.own()
	if err != nil {
		return nil, err
	}
	if leaseErr != nil {
		fmt.Fprintf(out, "warning: %v\n", leaseErr)
	}
	var done []Outcome
	for _, r := range records {
		if r.orphaned() || r.Standing(v.Now()) == Expired {
			o, err := v.remove(ctx, r, out)
			if err != nil {
				return done, err
			}
			done = append(done, o)
		}
	}
	return done, nil
}

// Down deletes all clusters of the checkout, kept ones too. With all, it also deletes
// those of other checkouts that are orphaned or have expired, and names the rest. The
// caller holds the lock of its own checkout. What cannot be deleted does not keep the
// others.
func (v Inventory) Down(ctx context.Context, all bool, out io.Writer) ([]Outcome, error) {
	records, leaseErr, err := v.own()
	errs := []error{leaseErr, err}
	var done []Outcome
	for _, r := range records {
		o, err := v.remove(ctx, r, out)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		done = append(done, o)
	}
	if all {
		leases, _ := v.Leases.list() // What cannot be read has been told above.
		for _, l := range leases {
			if l.Checkout == v.Checkout {
				continue
			}
			o, err := v.reclaim(ctx, l, out)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			done = append(done, o)
		}
	}
	return done, errors.Join(errs...)
}

// reclaim deletes a cluster of another checkout when nobody has a claim to it.
func (v Inventory) reclaim(ctx context.Context, r Record, out io.Writer) (Outcome, error) {
	left := func(r Record) Outcome {
		return Outcome{Name: r.Config.Name, Suite: r.Suite, Checkout: r.Checkout, Reason: r.why(v.Now())}
	}
	if !r.free(v.Now()) {
		return left(r), nil
	}
	if _, err := os.Stat(filepath.Join(r.Checkout, StateFolder)); err == nil {
		lock, err := Lock(r.Checkout)
		if errors.Is(err, ErrBusy) {
			o := left(r)
			o.Reason = "a run is at work in its checkout"
			return o, nil
		}
		if err != nil {
			return Outcome{}, fmt.Errorf("cluster %s: %w", r.Config.Name, err)
		}
		defer func() { _ = lock.Unlock() }() // Closing the file cannot keep it.
		// A run may have begun or ended since the lease was read.
		again, err := v.Leases.get(r.Config.Name)
		if err != nil {
			return Outcome{}, err
		}
		if again == nil || !again.free(v.Now()) {
			if again == nil {
				return Outcome{Name: r.Config.Name, Suite: r.Suite, Checkout: r.Checkout, Deleted: true, Reason: "by its own checkout"}, nil
			}
			return left(*again), nil
		}
		r = *again
	}
	return v.remove(ctx, r, out)
}

// remove deletes one cluster with the engine that runs it.
func (v Inventory) remove(ctx context.Context, r Record, out io.Writer) (Outcome, error) {
	o := Outcome{Name: r.Config.Name, Suite: r.Suite, Checkout: r.Checkout, Deleted: true, Reason: r.why(v.Now())}
	if r.Standing(v.Now()) == InUse && r.Owner != process.Self() {
		// Only a run that lost its lock, with the whole state folder, gets here.
		return o, fault.With(fmt.Errorf("cluster %s is %s", r.Config.Name, o.Reason), fmt.Sprintf("let process %d end, or kill it", r.Owner.PID))
	}
	e, err := v.engine(ctx, r.Engine)
	if err != nil {
		return o, fmt.Errorf("delete cluster %s: %w", r.Config.Name, err)
	}
	return o, remove(ctx, e, r, v.Leases, nil, out)
}

// free tells whether nobody has a claim to the cluster.
func (r Record) free(now time.Time) bool {
	s := r.Standing(now)
	return s == Orphaned || s == Expired
}

// why says what the cluster's standing comes from.
func (r Record) why(now time.Time) string {
	switch r.Standing(now) {
	case InUse:
		return fmt.Sprintf("in use by process %d", r.Owner.PID)
	case Orphaned:
		return "left by a run that is gone"
	case Expired:
		return fmt.Sprintf("kept, and expired %s ago", span(now.Sub(r.Expires)))
	case Elsewhere:
		return "of a run on " + r.Owner.Host + " that cannot be seen from here"
	}
	if r.Expires.IsZero() {
		return "kept"
	}
	return "kept, and expires in " + span(r.Expires.Sub(now))
}

// span is a duration at the precision that a person wants: 45s, 12m, 3h05m, 4d.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}
