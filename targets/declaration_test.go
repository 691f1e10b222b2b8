package targets

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// example is the repository under examples that adopts Hybrid.
const example = "../examples/adopt"

func TestReadGivesTheSuiteOfTheFile(t *testing.T) {
	suite, err := read(example)
	if err != nil {
		t.Fatal(err)
	}
	if len(suite.Images) != 1 || !suite.Images[0].Coverage || len(suite.Endpoints) != 1 || suite.Endpoints[0].NodePort != 30080 ||
		suite.Floors["greeting"] != 80 || suite.Specs != "./specs" {
		t.Errorf("suite %+v", suite)
	}
}

func TestReadNamesTheFileAndEveryMistake(t *testing.T) {
	for _, test := range []struct {
		name, content string
		want          []string
	}{
		{"a key that is unknown", "name: shop\nport: 1\n", []string{"hybrid.yaml: ", `unknown field "port"`}},
		{"a key that stands twice", "name: shop\nname: shop\n", []string{"hybrid.yaml: ", `"name" already set`}},
		{"what is missing", "name: Shop\n", []string{
			`hybrid.yaml: suite "Shop": suite name "Shop" is not a DNS label`, "declares no image", "specs names no path",
		}},
	} {
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, file), []byte(test.content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := read(root)
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error is %q, without %q", test.name, err, part)
			}
		}
	}
	root := t.TempDir()
	if _, err := read(root); err == nil || err.Error() != root+" declares no suite: there is no hybrid.yaml" {
		t.Errorf("no file: %v", err)
	}
}

func TestStandInsAreMadeByWhoCan(t *testing.T) {
	able, unable := t.TempDir(), t.TempDir()
	name := filepath.Join(able, makesStandIns)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	const line = "go list -m -f '{{.Dir}}' " + module
	for _, test := range []struct {
		name, root, listed, want string
	}{
		{"the repository itself", able, "", able},
		{"Hybrid, whose sources are there", unable, able, able},
		{"nobody: Hybrid is of a module proxy", unable, unable, ""},
	} {
		r := &command.Recorder{Replies: map[string]command.Reply{line: {Stdout: test.listed + "\n"}}}
		if got, err := standIns(t.Context(), r, test.root); err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, test.want)
		}
	}
	r := &command.Recorder{Replies: map[string]command.Reply{line: {Err: errors.New("no such module")}}}
	if _, err := standIns(t.Context(), r, unable); fault.Next(err) != "go mod tidy" {
		t.Errorf("the go command fails: %v, next %q", err, fault.Next(err))
	}
}
