package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/pkg/doctest"
)

// TestMessagesAreThoseOfTheProduct finds every message of the page on troubles as one text
// in the sources. What a page leaves open is what the source fills in.
func TestMessagesAreThoseOfTheProduct(t *testing.T) {
	page, err := doctest.Read(filepath.Join(root, "docs", "how-to", "troubleshoot.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts := literals(t, "hybrid", "targets")
	found := 0
	for _, table := range page.Tables {
		for _, message := range table.Column("Message") {
			found++
			pieces := strings.Split(message, "…")
			for i := range pieces {
				pieces[i] = regexp.QuoteMeta(pieces[i])
			}
			shown := regexp.MustCompile("^" + strings.Join(pieces, "(?s:.*)") + "$")
			if !slices.ContainsFunc(texts, shown.MatchString) {
				t.Errorf("%s: nothing says %q", table.Section, message)
			}
		}
	}
	if found < 25 {
		t.Errorf("the page has %d messages", found)
	}
}

// literals are the texts in the Go sources of folders, without tests.
func literals(t *testing.T, folders ...string) []string {
	t.Helper()
	var texts []string
	for _, folder := range folders {
		err := fs.WalkDir(os.DirFS(filepath.Join(root, folder)), ".", func(name string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, folder, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
					value, err := strconv.Unquote(text.Value)
					if err == nil {
						texts = append(texts, value)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return texts
}
