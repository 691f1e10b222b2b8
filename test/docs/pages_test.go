package docs

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"github.com/hybrid-e2e/hybrid/pkg/doctest"
)

// page is one page of the documentation, with its path in the repository.
type page struct {
	name string
	doctest.Page
}

// pages reads all of the documentation.
func pages(t *testing.T) []page {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(name string, _ fs.DirEntry, err error) error {
		if path.Ext(name) == ".md" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]page, len(names))
	for i, name := range names {
		read, err := doctest.Read(path.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		all[i] = page{name, read}
	}
	return all
}

// isShell tells whether the blocks of a language hold commands.
func isShell(language string) bool {
	return slices.Contains([]string{"sh", "bash", "console", "shell"}, language)
}

// script is what a reader would type of a block: all of it, or, when some lines have a
// prompt, those.
func script(text string) string {
	var typed strings.Builder
	for line := range strings.Lines(text) {
		if command, prompt := strings.CutPrefix(line, "$ "); prompt {
			typed.WriteString(command)
		}
	}
	if typed.Len() == 0 {
		return text
	}
	return typed.String()
}

// statements are the commands of a script, in their order.
func statements(text string) ([]*syntax.Stmt, error) {
	file, err := syntax.NewParser().Parse(strings.NewReader(text), "")
	if err != nil {
		return nil, err
	}
	return file.Stmts, nil
}

// printed is a part of a command, without comments and needless spaces.
func printed(t *testing.T, node syntax.Node) string {
	t.Helper()
	var text strings.Builder
	if err := syntax.NewPrinter().Print(&text, node); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
