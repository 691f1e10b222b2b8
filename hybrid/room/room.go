package room

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// What a run takes of a disk, in bytes. A cluster with the Gateway's suite writes 0.7 GB;
// images of a changed service, and a node image that starts with others, are 0.8 GB more.
// Of a run's artifacts, 7 MB were the most that was seen. The rest is for safety.
const (
	// FromNothing is for the engine's store when it has no node image yet: images, build
	// caches and one cluster.
	FromNothing = 10 * gib
	// Store is for the engine's store when the base images are there: the services' images
	// anew, and what a node writes.
	Store = 3 * gib
	// Artifacts is for what a run leaves to its users.
	Artifacts = 100 * mib
	// Temporary is for what compilers and linkers put down.
	Temporary = 500 * mib
	// Build is what one Go build takes of the memory, on the safe side: a compiler or
	// linker that is killed for want of memory fails the run without a reason.
	Build = 1536 * mib
	// Cluster is what a cluster of its own takes of the memory beside others, on the safe
	// side: one with the Gateway's suite under load took 1.4 GiB, its specs some hundred MiB.
	Cluster = 2 * gib
	// ClusterStore is what it writes to the engine's store.
	ClusterStore = gib
)

// Place is a folder that a run writes to.
type Place struct {
	// What is what people call it, such as "the engine's store".
	What, Folder string
	// Need is in bytes.
	Need int64
	// Fix is what makes room.
	Fix string
}

// Check looks whether every place has the room that is needed, and names each that has
// not.
func Check(places ...Place) error {
	var errs []error
	for _, p := range places {
		free, err := Free(p.Folder)
		if err != nil {
			return fmt.Errorf("free space of %s: %w", p.What, err)
		}
		if free < p.Need {
			errs = append(errs, fault.With(fmt.Errorf("%s needs %s, and %s has %s free", p.What, Size(p.Need), p.Folder, Size(free)), p.Fix))
		}
	}
	return errors.Join(errs...)
}

// low is the free space with which programs report that there is none.
const low = 16 * mib

// Explain adds to an error that came of a full disk which of the places it is. Other
// errors stay as they are.
func Explain(err error, places ...Place) error {
	if err == nil || !errors.Is(err, syscall.ENOSPC) && !strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
		return err
	}
	for _, p := range places {
		if free, freeErr := Free(p.Folder); freeErr == nil && free < low {
			err = errors.Join(fault.With(fmt.Errorf("the disk with %s, %s, is full: %s free", p.What, p.Folder, Size(free)), p.Fix), err)
		}
	}
	return err
}

// Free is how many bytes of the disk with the folder may be written. The folder itself
// need not exist.
func Free(folder string) (int64, error) {
	var disk syscall.Statfs_t
	for at := folder; ; at = filepath.Dir(at) {
		err := syscall.Statfs(at, &disk)
		if errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			continue
		}
		if err != nil {
			return 0, &os.PathError{Op: "statfs", Path: at, Err: err}
		}
		return int64(disk.Bavail) * disk.Bsize, nil //nolint:gosec // No disk is that large.
	}
}

// Memory is how many bytes programs can have without the machine beginning to swap, as
// the file meminfo of the kernel says (MemAvailable).
func Memory(meminfo string) (int64, error) {
	b, err := os.ReadFile(meminfo)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err == nil {
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("%s has no line MemAvailable", meminfo)
}

// CheckMemory looks whether at least one build fits into the memory. Where the kernel
// does not tell, it is not asked.
func CheckMemory(meminfo string) error {
	free, err := Memory(meminfo)
	if err == nil && free < Build {
		return fault.With(fmt.Errorf("%s of memory are available, and one build takes %s", Size(free), Size(Build)), "end other programs, mage down")
	}
	return nil
}

// CheckClusters looks whether several clusters fit into the memory at the same time. One or
// none is always tried, and so are all where the kernel does not tell.
func CheckClusters(meminfo string, clusters int) error {
	need := int64(clusters) * Cluster
	free, err := Memory(meminfo)
	if err != nil || clusters < 2 || free >= need {
		return nil //nolint:nilerr // Without figures there is nothing to refuse by.
	}
	next := "end other programs, mage down"
	if fit := free / Cluster; fit > 1 {
		next += fmt.Sprintf(", or take %d shards", fit)
	}
	return fault.With(fmt.Errorf("%d clusters take %s of memory, and %s are available", clusters, Size(need), Size(free)), next)
}

// Size is a number of bytes for people.
func Size(bytes int64) string {
	if bytes < gib {
		return fmt.Sprintf("%d MiB", bytes/mib)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/gib)
}
