package coverage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSourcesTellWhatRan(t *testing.T) {
	root := t.TempDir()
	source := "package a\n\nfunc F(b bool) int {\n\tif b {\n\t\treturn 1\n\t}\n\treturn 2\n}\n"
	profile := filepath.Join(root, "coverage.txt")
	for name, content := range map[string]string{
		"pkg/a/a.go": source,
		"coverage.txt": "mode: atomic\nexample.com/shop/pkg/a/a.go:3.20,4.7 1 3\nexample.com/shop/pkg/a/a.go:4.7,6.3 1 0\n" +
			"example.com/shop/pkg/a/a.go:7.2,900.10 1 3\nexample.com/other/x.go:1.1,2.2 9 0\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Sources(profile, "example.com/shop", root)
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	f := files[0]
	if f.Path != "pkg/a/a.go" || f.Covered != 2 || f.Statements != 3 || int(f.Percent) != 66 {
		t.Errorf("file %s, %+v", f.Path, f.Count)
	}
	var text []string
	var states []State
	for _, l := range f.Lines {
		text, states = append(text, l.Text), append(states, l.State)
	}
	if strings.Join(text, "\n")+"\n" != source {
		t.Errorf("text %q", text)
	}
	if want := []State{Silent, Silent, Ran, Missed, Missed, Missed, Ran, Ran}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	if err := os.Remove(filepath.Join(root, "pkg/a/a.go")); err != nil {
		t.Fatal(err)
	}
	for _, profile := range []string{profile, filepath.Join(root, "none")} {
		if _, err := Sources(profile, "example.com/shop", root); err == nil {
			t.Errorf("%s: no error", profile)
		}
	}
}
