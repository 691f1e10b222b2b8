package coverage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// The two kinds of files that an instrumented Go program writes: what there is
// to cover, at its start, and what was covered, at its end.
const (
	metaPrefix     = "covmeta."
	countersPrefix = "covcounters."
)

// Prepare makes <dir>/<service> for each service: there, empty, and writable
// for everybody, because services run as a user that the host does not know.
// Only coverage data is ever removed; anything else in the way is an error.
func Prepare(dir string, services []string) error {
	for _, s := range services {
		if err := checkName(s); err != nil {
			return err
		}
		path := filepath.Join(dir, s)
		if err := emptyFolder(path); err != nil {
			return fmt.Errorf("prepare the coverage folder of %s: %w", s, err)
		}
		// The mode given to Mkdir is cut by the umask.
		if err := os.Chmod(path, 0o777); err != nil {
			return fmt.Errorf("prepare the coverage folder of %s: %w", s, err)
		}
	}
	return nil
}

// checkName refuses a service whose folder would not lie right below the
// parent.
func checkName(service string) error {
	if service == "" || service == "." || service == ".." || strings.ContainsAny(service, `/\,`) {
		return fmt.Errorf("%q cannot be the folder of a service", service)
	}
	return nil
}

// emptyFolder makes path a folder without coverage data.
func emptyFolder(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err == nil || !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		// A link could lead anywhere, and what it leads to would be emptied.
		return fault.With(fmt.Errorf("%s is not a folder", path), "mv "+path+" "+path+".old")
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !isData(e) {
			return fault.With(fmt.Errorf("%s is no coverage data and will not be removed", filepath.Join(path, e.Name())),
				"mv "+path+" "+path+".old")
		}
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// isData tells whether an entry of a folder is a file with coverage data.
func isData(e os.DirEntry) bool {
	return e.Type().IsRegular() &&
		(strings.HasPrefix(e.Name(), metaPrefix) || strings.HasPrefix(e.Name(), countersPrefix))
}

// delivered lists the coverage data of a service in dir. Data that is missing
// or empty is an error that tells the likely cause.
func delivered(service, dir string) ([]string, error) {
	fail := func(format string, args ...any) ([]string, error) {
		return nil, fault.With(fmt.Errorf("coverage of %s: "+format, append([]any{service}, args...)...),
			"ls -ln "+dir+", then read the log of "+service+" among the run's artifacts")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fail("its folder cannot be read: %w", err)
	}
	var names []string
	metas, counters := 0, 0
	for _, e := range entries {
		if !isData(e) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return fail("%w", err)
		}
		if info.Size() == 0 {
			return fail("%s is empty: the disk was full, or the process was killed while it wrote", filepath.Join(dir, e.Name()))
		}
		names = append(names, e.Name())
		if strings.HasPrefix(e.Name(), metaPrefix) {
			metas++
		} else {
			counters++
		}
	}
	switch {
	case metas == 0:
		return fail("no covmeta file in %s: the image was built without coverage (COVERAGE=1), GOCOVERDIR is not that folder, or the service's user may not write there", dir)
	case counters == 0:
		return fail("no covcounters file in %s, though the service started: it was killed or crashed instead of stopping gracefully on SIGTERM", dir)
	}
	return names, nil
}

// copyFiles copies the named files between two folders.
func copyFiles(from, to string, names []string) error {
	for _, name := range names {
		if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
