package coverage

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/tools/cover"
)

// generatedPrefix begins the names of files that generators wrote; nobody tests
// them for their own sake.
const generatedPrefix = "zz_generated"

// maxBlock is more statements than a block of code can have; a profile that
// claims more is damaged.
const maxBlock = 1 << 20

// profile is a parsed text profile: one entry per file, sorted.
type profile []*cover.Profile

// parseProfile reads a text profile and keeps what counts: files of the module that
// nobody generated. It names only what is built into a service, wherever that lies.
func parseProfile(r io.Reader, module string) (profile, error) {
	files, err := cover.ParseProfilesFromReader(r)
	if err != nil {
		return nil, fmt.Errorf("parse the coverage profile: %w", err)
	}
	for _, f := range files {
		for _, b := range f.Blocks {
			if b.NumStmt > maxBlock {
				return nil, fmt.Errorf("parse the coverage profile: a block of %s claims %d statements", f.FileName, b.NumStmt)
			}
		}
	}
	return slices.DeleteFunc(profile(files), func(f *cover.Profile) bool { return !counts(f.FileName, module) }), nil
}

// counts tells whether a file, named by import path, is measured.
func counts(file, module string) bool {
	return strings.HasPrefix(file, module+"/") && !strings.HasPrefix(path.Base(file), generatedPrefix)
}

// write writes the profile in Go's text format, files named by import path, so
// that go tool cover finds them from anywhere in the repository.
func (p profile) write(w io.Writer) error {
	for i, f := range p {
		if i == 0 {
			if _, err := fmt.Fprintf(w, "mode: %s\n", f.Mode); err != nil {
				return err
			}
		}
		for _, b := range f.Blocks {
			if _, err := fmt.Fprintf(w, "%s:%d.%d,%d.%d %d %d\n",
				f.FileName, b.StartLine, b.StartCol, b.EndLine, b.EndCol, b.NumStmt, b.Count); err != nil {
				return err
			}
		}
	}
	return nil
}

// packages counts per package, sorted by path.
func (p profile) packages(module string) []Package {
	byPath := map[string]*Package{}
	var paths []string
	for _, f := range p {
		dir := path.Dir(strings.TrimPrefix(f.FileName, module+"/"))
		pkg := byPath[dir]
		if pkg == nil {
			pkg = &Package{Path: dir}
			byPath[dir] = pkg
			paths = append(paths, dir)
		}
		for _, b := range f.Blocks {
			pkg.Statements += b.NumStmt
			if b.Count != 0 {
				pkg.Covered += b.NumStmt
			}
		}
	}
	slices.Sort(paths)
	all := make([]Package, len(paths))
	for i, dir := range paths {
		all[i] = Package{Path: dir, Count: sum(byPath[dir].Count)}
	}
	return all
}
