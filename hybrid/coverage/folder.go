package coverage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
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

// Source is a service that delivers coverage data.
type Source struct {
	// Service is its name.
	Service string
	// Start names what writes into one folder: one build of the service that was
	// started for one run. On a cluster that is kept, an earlier one may still be
	// ending, and its data must not be taken for the run's.
	Start string
}

// Folder is where the data lies, below Path on the node and below Options.Raw on the
// host. It is a slash-separated path.
func (s Source) Folder() string { return path.Join(s.Service, s.Start) }

// Prepare makes the folders of the sources below dir, writable for everybody,
// because services run as a user that the host does not know. What is in them stays.
func Prepare(dir string, sources []Source) error {
	for _, s := range sources {
		if err := s.check(); err != nil {
			return err
		}
		for _, name := range []string{s.Service, s.Folder()} {
			if err := makeFolder(filepath.Join(dir, name)); err != nil {
				return fmt.Errorf("prepare the coverage folder of %s: %w", s.Service, err)
			}
		}
		// The mode given to Mkdir is cut by the umask.
		if err := os.Chmod(filepath.Join(dir, s.Folder()), 0o777); err != nil {
			return fmt.Errorf("prepare the coverage folder of %s: %w", s.Service, err)
		}
	}
	return nil
}

// Clean removes what other starts of the sources' services left below dir. Only
// coverage data is ever removed; anything else in the way is an error.
func Clean(dir string, sources []Source) error {
	for _, s := range sources {
		if err := s.check(); err != nil {
			return err
		}
		if err := s.clean(filepath.Join(dir, s.Service)); err != nil {
			return fmt.Errorf("clean the coverage folder of %s: %w", s.Service, err)
		}
	}
	return nil
}

func (s Source) clean(dir string) error {
	if err := makeFolder(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		old := filepath.Join(dir, e.Name())
		switch {
		case e.Name() == s.Start:
			continue
		case e.IsDir():
			err = emptyFolder(old)
		case !isData(e):
			err = foreign(old)
		}
		if err == nil {
			err = os.Remove(old)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check refuses names whose folder would not lie where it is expected.
func (s Source) check() error {
	for _, name := range []string{s.Service, s.Start} {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\,`) {
			return fmt.Errorf("%q cannot be the folder of a service", name)
		}
	}
	return nil
}

// makeFolder makes path a folder; one that is there stays as it is.
func makeFolder(path string) error {
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
	return nil
}

func foreign(path string) error {
	return fault.With(fmt.Errorf("%s is no coverage data and will not be removed", path), "mv "+path+" "+path+".old")
}

// emptyFolder makes path a folder without coverage data.
func emptyFolder(path string) error {
	if err := makeFolder(path); err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !isData(e) {
			return foreign(filepath.Join(path, e.Name()))
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
