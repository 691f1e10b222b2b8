package offline

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestKeyOfFiles(t *testing.T) {
	root := t.TempDir()
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	of := func() string {
		t.Helper()
		k := newKey()
		if err := k.files(root, "dir"); err != nil {
			t.Fatal(err)
		}
		return k.String()
	}
	write("dir/a", "one", 0o644)
	write("outside", "ignored", 0o644)
	first := of()
	if len(first) != keyLength {
		t.Errorf("key %q has %d digits, want %d", first, len(first), keyLength)
	}
	old := time.Unix(0, 0)
	if err := os.Chtimes(filepath.Join(root, "dir/a"), old, old); err != nil {
		t.Fatal(err)
	}
	write("outside", "changed", 0o644)
	write("dir/a", "one", 0o600)
	if got := of(); got != first {
		t.Errorf("time, a file outside or the group's rights changed the key: %s, %s", first, got)
	}
	seen := map[string]string{first: "the start"}
	for name, change := range map[string]func(){
		"content":    func() { write("dir/a", "two", 0o644) },
		"executable": func() { write("dir/a", "two", 0o755) },
		"new file":   func() { write("dir/b/c", "", 0o644) },
	} {
		change()
		got := of()
		if before, ok := seen[got]; ok {
			t.Errorf("%s gave the key of %s", name, before)
		}
		seen[got] = name
	}
}

func TestKeyKeepsValuesApart(t *testing.T) {
	if newKey().add("a", "bc").String() == newKey().add("ab", "c").String() {
		t.Error("two inputs ran together")
	}
}

func TestKeyNeedsItsFiles(t *testing.T) {
	if err := newKey().files(t.TempDir(), "absent"); err == nil {
		t.Error("a missing input gave a key")
	}
}
