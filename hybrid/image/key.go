package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// keyLength is how many hexadecimal digits of the SHA-256 make a tag: 64 bits,
// far beyond any collision among the images of one engine.
const keyLength = 16

// input is everything that decides what an image contains.
type input struct {
	root       string
	file       string
	dockerfile dockerfile
	args       map[string]string
	platform   string
}

// key computes the content key.
func (in input) key() (string, error) {
	h := sha256.New()
	field(h, "format", "1")
	field(h, "platform", in.platform)
	field(h, "dockerfile", string(in.dockerfile.content))
	names := make([]string, 0, len(in.args))
	for k := range in.args {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		field(h, "arg", k+"="+in.args[k])
	}
	files, err := in.files()
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if err := hashFile(h, in.root, f); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:keyLength], nil
}

// field adds one length-prefixed value, so that no two inputs run together.
func field(h hash.Hash, name, value string) {
	fmt.Fprintf(h, "%s %d\n%s\n", name, len(value), value)
}

func hashFile(h hash.Hash, root, rel string) error {
	full := filepath.Join(root, filepath.FromSlash(rel))
	info, err := os.Lstat(full)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(full)
		if err != nil {
			return err
		}
		field(h, "link "+rel, target)
		return nil
	}
	f, err := os.Open(full)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // It is only read.
	// Of the mode only what an image keeps from a checkout: executable or not.
	fmt.Fprintf(h, "file %s %t %d\n", rel, info.Mode()&0o111 != 0, info.Size())
	_, err = io.Copy(h, f)
	return err
}

// files lists every file below the context that the Dockerfile can see, sorted.
// A source that matches nothing is an error: the build would fail later.
func (in input) files() ([]string, error) {
	ignored, err := in.ignores()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, source := range in.dockerfile.sources {
		n, err := in.expand(source, ignored, seen)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fmt.Errorf("%s copies %q, which is not in the build context", in.file, source)
		}
	}
	list := make([]string, 0, len(seen))
	for f := range seen {
		list = append(list, f)
	}
	sort.Strings(list)
	return list, nil
}

// ignores reads <Dockerfile>.dockerignore, else .dockerignore, as BuildKit does.
func (in input) ignores() (*patternmatcher.PatternMatcher, error) {
	for _, name := range []string{in.file + ".dockerignore", ".dockerignore"} {
		f, err := os.Open(filepath.Join(in.root, name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		patterns, err := ignorefile.ReadAll(f)
		_ = f.Close() // It is only read.
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return patternmatcher.New(patterns)
	}
	return patternmatcher.New(nil)
}

// expand adds the visible files that one source names and returns their number.
func (in input) expand(source string, ignored *patternmatcher.PatternMatcher, seen map[string]bool) (int, error) {
	matches := []string{filepath.Join(in.root, filepath.FromSlash(source))}
	if strings.ContainsAny(source, "*?[") {
		var err error
		if matches, err = filepath.Glob(matches[0]); err != nil {
			return 0, fmt.Errorf("%s: %q: %w", in.file, source, err)
		}
	}
	n := 0
	for _, m := range matches {
		err := filepath.WalkDir(m, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				if os.IsNotExist(err) {
					return nil
				}
				return err
			}
			rel, err := filepath.Rel(in.root, p)
			if err != nil {
				return err
			}
			rel = filepath.ToSlash(rel)
			skip, err := ignored.MatchesOrParentMatches(rel)
			if err != nil {
				return err
			}
			if d.IsDir() {
				if skip && rel != "." && !ignored.Exclusions() {
					return fs.SkipDir
				}
				if path.Base(rel) == ".git" {
					return fs.SkipDir
				}
				return nil
			}
			if !skip {
				seen[rel] = true
				n++
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}
