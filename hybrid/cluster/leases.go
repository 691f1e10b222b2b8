package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// leaseSuffix ends the name of a lease's file, after the cluster's.
const leaseSuffix = ".json"

// Leases is the folder in which the clusters of all checkouts of one user are found:
// a file for each, named like the cluster. Nothing else could tell them from other
// people's, since kind sets the labels of nodes. The zero value keeps none; then each
// checkout knows of its own clusters only.
type Leases struct{ folder string }

// LeaseFolder is where a user's leases are kept: below XDG_STATE_HOME, or else HOME.
// It is empty when neither is the absolute path of a folder.
func LeaseFolder(getenv func(string) string) string {
	if state := getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "hybrid", "leases")
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "hybrid", "leases")
	}
	return ""
}

// OpenLeases makes the folder, for its user only. When that fails, which it does for
// an empty path too, the result is the zero value, and the error says why clusters
// will be known in their own checkout only.
func OpenLeases(folder string) (Leases, error) {
	if folder == "" {
		return Leases{}, errors.New("neither XDG_STATE_HOME nor HOME names a folder for leases")
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return Leases{}, fmt.Errorf("create the folder of leases: %w", err)
	}
	const writable = 2 // W_OK of access(2); that the folder is there does not mean it.
	if err := syscall.Access(folder, writable); err != nil {
		return Leases{}, fmt.Errorf("write to the folder of leases %s: %w", folder, err)
	}
	return Leases{folder: folder}, nil
}

func (l Leases) path(cluster string) string { return filepath.Join(l.folder, cluster+leaseSuffix) }

// put keeps the lease of a cluster.
func (l Leases) put(r Record) error {
	if l.folder == "" {
		return nil
	}
	if err := writeRecord(l.path(r.Config.Name), r); err != nil {
		return fault.With(fmt.Errorf("keep the lease of cluster %s: %w", r.Config.Name, err), "make "+l.folder+" writable")
	}
	return nil
}

// drop forgets the lease that is a copy of the record; one of the same name that was
// made by another claim stays.
func (l Leases) drop(r Record) error {
	name := r.Config.Name
	lease, err := l.get(name)
	if err != nil || lease == nil || !lease.Started.Equal(r.Started) {
		return err
	}
	if err := os.Remove(l.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the lease of cluster %s: %w", name, err)
	}
	return nil
}

// get reads the lease of a cluster; it is nil without error when there is none.
func (l Leases) get(cluster string) (*Record, error) {
	if l.folder == "" {
		return nil, nil
	}
	r, err := readRecordFile(l.path(cluster))
	switch {
	case err != nil:
		return nil, fault.With(fmt.Errorf("read the lease: %w", err), "rm "+l.path(cluster))
	case r != nil && (r.Config.Name != cluster || r.Checkout == "" || r.State == ""):
		return nil, fault.With(fmt.Errorf("%s is no lease of cluster %s", l.path(cluster), cluster), "rm "+l.path(cluster))
	}
	return r, nil
}

// list gives all leases in the order of their names. Those that cannot be read are
// left out and told in the error, which does not mean that there are no others.
func (l Leases) list() ([]Record, error) {
	if l.folder == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(l.folder)
	if err != nil {
		return nil, fmt.Errorf("list the leases: %w", err)
	}
	var found []Record
	var errs []error
	for _, e := range entries {
		name, isLease := strings.CutSuffix(e.Name(), leaseSuffix)
		if !isLease || strings.HasPrefix(name, ".") {
			continue
		}
		r, err := l.get(name)
		if err != nil {
			errs = append(errs, err)
		}
		if r != nil {
			found = append(found, *r)
		}
	}
	return slices.Clip(found), errors.Join(errs...)
}
