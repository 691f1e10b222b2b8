package doctest

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

const markdown = "# Colours\n\n| Name | Meaning |\n|---|---|\n| `red` | *stop*, or [go](x.md) |\n| `a\\|b` | |\n\n" +
	"## Send\none `two`\n\n```sh now\ncurl x\n\ncurl y\n```\n\n| Name |\n|---|\n| x |\n"

func TestAPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(markdown), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := Page{
		Headings: []string{"Colours", "Send"},
		Tables: []Table{
			{Section: "Colours", Columns: []string{"Name", "Meaning"}, Rows: [][]string{{"red", "stop, or go"}, {"a|b", ""}}},
			{Section: "Send", Columns: []string{"Name"}, Rows: [][]string{{"x"}}},
		},
		Blocks: []Block{{Section: "Send", Language: "sh", Text: "curl x\n\ncurl y\n", Line: 12}},
		Code:   []Code{{"red", 5}, {"a|b", 6}, {"two", 9}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if _, err := Read(path + "x"); err == nil {
		t.Error("a page that is not there was read")
	}
}

func TestATableIsFoundByItsColumns(t *testing.T) {
	page, err := parse([]byte(markdown + "\n| Name |\n|---|\n| y |\n"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := page.Table("Name", "Meaning")
	if err != nil || !reflect.DeepEqual(found.Column("Name"), []string{"red", "a|b"}) || found.Column("Size") != nil {
		t.Errorf("%+v, %v", found, err)
	}
	for _, columns := range [][]string{{"Name"}, {"Meaning"}} {
		if _, err := page.Table(columns...); err == nil {
			t.Errorf("%q: found", columns)
		}
	}
}
