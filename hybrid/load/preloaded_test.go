package load

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// aNode is a folder with the archives of a node image, an empty store, and programs that
// note what they were asked for instead of mounting anything.
func aNode(t *testing.T) (dir string, unpack func(what string) string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"names/metadata.db": "names", "files/9/etc/passwd": "root",
		"bin/mountpoint": "#!/bin/sh\n[ -e \"" + dir + "/mounted\" ]\n",
		"bin/mount":      "#!/bin/sh\ntouch \"" + dir + "/mounted\"\necho mount \"$@\" >>\"" + dir + "/calls\"\n",
		"bin/sync":       "#!/bin/sh\necho sync \"$@\" >>\"" + dir + "/calls\"\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "store"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, archive := range []string{"names", "files"} {
		ran(t, exec.CommandContext(t.Context(), "tar", "--create", "--directory", filepath.Join(dir, archive), "--file", filepath.Join(dir, "preloaded-"+archive+".tar"), "."))
	}
	return dir, func(what string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "/bin/sh", "-c", preloadedScript, "preloaded.sh", what)
		c.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "ARCHIVES=" + dir, "STORE=" + filepath.Join(dir, "store")}
		ran(t, c)
		calls, err := os.ReadFile(filepath.Join(dir, "calls"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "calls"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return string(calls)
	}
}

func ran(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", c, err, out)
	}
}

// TestANodeUnpacksOnce has a node start, lose what it kept in memory, and start again.
func TestANodeUnpacksOnce(t *testing.T) {
	dir, unpack := aNode(t)
	store := filepath.Join(dir, "store")
	files := filepath.Join(store, "preloaded")
	has := func(path, text string) {
		t.Helper()
		if got, err := os.ReadFile(filepath.Join(store, path)); string(got) != text || err != nil {
			t.Errorf("%s: %q, %v; want %q", path, got, err, text)
		}
	}
	if calls := unpack("names"); calls != "" {
		t.Errorf("before containerd starts: %s", calls)
	}
	has("metadata.db", "names")
	if entries, err := os.ReadDir(files); len(entries) != 0 || err != nil {
		t.Errorf("the folder of files has %v, %v", entries, err)
	}
	// What this machine has decides where they are kept, and there is one way or the other.
	kept := []string{"mount -t tmpfs -o mode=0711 preloaded " + files + "\n", "sync --file-system " + files + "\n"}
	if calls := unpack("files"); calls != kept[0] && calls != kept[1] {
		t.Errorf("calls %q, want one of %q", calls, kept)
	}
	has("preloaded/9/etc/passwd", "root")
	if calls := unpack("files"); calls != "" {
		t.Errorf("once more: %s", calls)
	}

	// containerd has written to it since.
	if err := os.WriteFile(filepath.Join(store, "metadata.db"), []byte("newer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if calls := unpack("names"); calls != "" {
		t.Errorf("a start with all files: %s", calls)
	}
	for _, path := range []string{filepath.Join(dir, "mounted"), files} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(files, 0o755); err != nil {
		t.Fatal(err)
	}
	if calls := unpack("names"); calls != kept[0] && calls != kept[1] {
		t.Errorf("a start without them: calls %q, want one of %q", calls, kept)
	}
	has("metadata.db", "newer")
	has("preloaded/9/etc/passwd", "root")
}
