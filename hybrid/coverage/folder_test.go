package coverage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// fill writes files, with content "x" unless the name ends in "=", which makes
// an empty file.
func fill(t *testing.T, dir string, names ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content := "x"
		if n, empty := strings.CutSuffix(name, "="); empty {
			name, content = n, ""
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestPrepareMakesFoldersForEverybody(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "coverage")
	fill(t, filepath.Join(dir, "gateway", "b"), "covmeta.1")
	if err := Prepare(dir, []Source{{"gateway", "b"}, {"datastorage", "c"}}); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string][]string{"gateway/b": {"covmeta.1"}, "datastorage/c": {}} {
		info, err := os.Stat(filepath.Join(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != fs.ModeDir|0o777 {
			t.Errorf("%s has mode %v, want drwxrwxrwx", folder, info.Mode())
		}
		if left := list(t, filepath.Join(dir, folder)); !reflect.DeepEqual(left, want) {
			t.Errorf("%s holds %v, want %v", folder, left, want)
		}
	}
}

func TestCleanRemovesOtherStarts(t *testing.T) {
	dir := t.TempDir()
	gateway := filepath.Join(dir, "gateway")
	fill(t, gateway, "covmeta.0", "covcounters.0.1.2")
	fill(t, filepath.Join(gateway, "a"), "covmeta.1", "covcounters.1.2.3")
	fill(t, filepath.Join(gateway, "b"), "covmeta.2")
	fill(t, filepath.Join(dir, "other", "a"), "covmeta.3")
	if err := Clean(dir, []Source{{"gateway", "b"}, {"datastorage", "c"}}); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string][]string{".": {"datastorage", "gateway", "other"}, "gateway": {"b"}, "gateway/b": {"covmeta.2"}, "other/a": {"covmeta.3"}} {
		if left := list(t, filepath.Join(dir, folder)); !reflect.DeepEqual(left, want) {
			t.Errorf("%s holds %v, want %v", folder, left, want)
		}
	}
}

func TestCleanRemovesNothingForeign(t *testing.T) {
	for name, file := range map[string]string{"among starts": "gateway/notes.txt", "in a start": "gateway/a/notes.txt"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, file)
			fill(t, filepath.Dir(path), "notes.txt")
			err := Clean(dir, []Source{{"gateway", "b"}})
			if want := "clean the coverage folder of gateway: " + path + " is no coverage data and will not be removed"; err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
			if next := fault.Next(err); next != "mv "+path+" "+path+".old" {
				t.Errorf("next step %q", next)
			}
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		})
	}
	// A folder with the name of a data file, in a start, is foreign too.
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "redis", "a", "covmeta.x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Clean(dir, []Source{{"redis", "b"}}); err == nil {
		t.Error("a folder called covmeta.x was taken for data")
	}
}

func TestFoldersStayInTheirPlace(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside")
	fill(t, filepath.Join(outside, "a"), "covmeta.1")
	root := filepath.Join(dir, "root")
	for _, name := range []string{"", ".", "..", "../outside", "a/b", `a\b`, "a,b"} {
		for _, s := range []Source{{name, "a"}, {"gateway", name}} {
			if Prepare(root, []Source{s}) == nil || Clean(root, []Source{s}) == nil {
				t.Errorf("%+v was taken", s)
			}
		}
	}
	fill(t, root)
	link := filepath.Join(root, "gateway")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"prepare": Prepare(root, []Source{{"gateway", "b"}}), "clean": Clean(root, []Source{{"gateway", "b"}})} {
		if want := what + " the coverage folder of gateway: " + link + " is not a folder"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if left := list(t, filepath.Join(outside, "a")); len(left) != 1 {
		t.Error("data outside was removed through a link")
	}
	fill(t, dir, "file")
	if err := Prepare(filepath.Join(dir, "file", "x"), []Source{{"gateway", "a"}}); err == nil {
		t.Error("a folder below a file was made")
	}
}

func TestDelivered(t *testing.T) {
	dir := t.TempDir()
	next := "ls -ln " + dir + ", then read the log of gateway among the run's artifacts"
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"nothing": {nil, "coverage of gateway: no covmeta file in " + dir +
			": the image was built without coverage (COVERAGE=1), GOCOVERDIR is not that folder, or the service's user may not write there"},
		"killed": {[]string{"covmeta.1"}, "coverage of gateway: no covcounters file in " + dir +
			", though the service started: it was killed or crashed instead of stopping gracefully on SIGTERM"},
		"empty": {[]string{"covmeta.1", "covcounters.1.2.3="}, "coverage of gateway: " + dir +
			"/covcounters.1.2.3 is empty: the disk was full, or the process was killed while it wrote"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := emptyFolder(dir); err != nil {
				t.Fatal(err)
			}
			fill(t, dir, c.files...)
			_, err := delivered("gateway", dir)
			if err == nil || err.Error() != c.want || fault.Next(err) != next {
				t.Errorf("error %v, next %q", err, fault.Next(err))
			}
		})
	}
	fill(t, dir, "covmeta.1", "covcounters.1.2.3", "covcounters.1.2.4", "other")
	names, err := delivered("gateway", dir)
	if want := []string{"covcounters.1.2.3", "covcounters.1.2.4", "covmeta.1"}; err != nil || !reflect.DeepEqual(names, want) {
		t.Errorf("names %v, error %v", names, err)
	}
	if _, err := delivered("gateway", filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestCopyFilesSaysWhatFailed(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, "covmeta.1")
	if err := copyFiles(dir, dir, []string{"absent"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if err := copyFiles(dir, filepath.Join(dir, "absent"), []string{"covmeta.1"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
