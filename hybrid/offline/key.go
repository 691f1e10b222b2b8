package offline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
)

// keyLength is how many hexadecimal digits of the SHA-256 make a tag.
const keyLength = 16

// key collects everything that decides what a stand-in contains.
type key struct{ hash hash.Hash }

func newKey() key { return key{sha256.New()} }

// add puts one named value in, length first, so that no two run together.
func (k key) add(name, value string) key {
	fmt.Fprintf(k.hash, "%s %d\n%s\n", name, len(value), value)
	return k
}

// files puts files and whole folders below root in: path, mode and content.
func (k key) files(root string, paths ...string) error {
	for _, p := range paths {
		err := filepath.WalkDir(filepath.Join(root, p), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path) //nolint:gosec // The checkout belongs to whoever runs this.
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			// Only whether a file can be executed is the same in every checkout.
			k.add("file", filepath.ToSlash(name)).add("executable", fmt.Sprint(info.Mode()&0o100 != 0)).add("content", string(content))
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the inputs of a local image: %w", err)
		}
	}
	return nil
}

func (k key) String() string { return hex.EncodeToString(k.hash.Sum(nil))[:keyLength] }
