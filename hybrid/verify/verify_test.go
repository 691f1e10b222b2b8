package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"
)

func testOptions() Options {
	return Options{
		Registry:     "hybrid.local",
		Images:       []Image{{Name: "shop", Dockerfile: "docker/shop.Dockerfile", Coverage: true}},
		NodePorts:    map[string]int32{"shop": 30080, "shop-metrics": 30090},
		CoveragePath: "/coverdata",
	}
}

// example turns an archive into a repository and what is expected of it.
func example(t *testing.T, file string) (repository fs.FS, want string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{"go.mod": {Data: []byte("module example.org/shop\n")}}
	for _, f := range archive.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		tree[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return tree, want
}

// Every rule has a good example, in which it finds nothing, and a bad one, with
// the exact findings in the archive's file "want".
func TestRules(t *testing.T) {
	for _, rule := range Rules() {
		for _, kind := range []string{"good", "bad"} {
			t.Run(rule.ID+"/"+kind, func(t *testing.T) {
				repository, want := example(t, filepath.Join("testdata", rule.ID, kind+".txtar"))
				if (kind == "bad") != (want != "") {
					t.Fatalf("a bad example and no other has findings; this %s one wants %q", kind, want)
				}
				src, err := parse(t.Context(), repository)
				if err != nil {
					t.Fatal(err)
				}
				if reason := rule.missing(src, testOptions()); reason != "" {
					t.Fatalf("the rule cannot be checked: %s", reason)
				}
				if len(src.broken) > 0 && rule.ID != "parses" {
					t.Fatalf("the example does not parse: %v", src.broken)
				}
				findings, idle := run(t.Context(), rule, src, testOptions())
				if idle != "" {
					t.Errorf("the rule cannot be checked: %s", idle)
				}
				if got := Format(sorted(findings)); got != want {
					t.Errorf("findings:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}

// A repository that breaks several rules is reported in the order of files, and what could
// not be checked with the reason.
func TestRun(t *testing.T) {
	root := t.TempDir()
	write(t, root, "go.mod", "module example.org/shop\n")
	write(t, root, "types/types.go", "package types\n")
	write(t, root, "main.go", "package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(1) }\n")
	result, err := Run(t.Context(), root, Options{NodePorts: map[string]int32{"shop": 30080}})
	if err != nil {
		t.Fatal(err)
	}
	want := `main.go:5: [no-sleep] time.Sleep instead of waiting for what should happen (a sleep is too short on a slow machine and wasted time on a fast one)
manifests: [manifest-nodeports] endpoint shop has NodePort 30080, which no Service offers (manifests and the endpoint table must agree)
types/types.go:1: [package-name] package name "types" says nothing (a package is named for what it owns)
not checked: dockerfile-update, dockerfile-pinned, dockerfile-labels, coverage-flags, coverage-builds: there is no Dockerfile
not checked: dockerfile-user: the images that suites build are not given
not checked: spec-skip, spec-namespace: there is no Go file in test/e2e
not checked: mage-deps, imports-downwards, root-package: there is no Go file in magefiles
not checked: phase-graph: no target in magefiles is called Cluster, Load or Deploy
not checked: manifest-pull-policy, manifest-image-names, manifest-restricted: there is no Kubernetes object in manifests
not checked: coverdata-path: the path of coverage data is not given
not checked: timeline-order: no run has left a _artifacts/latest/timeline.json
verify: 3 rules hold, 3 do not, in 3 places, 17 not checked
`
	if got := result.String(); got != want {
		t.Errorf("the result is\n%s\nwant\n%s", got, want)
	}
}

// A rule that only its check can tell to have nothing to look at is not checked either.
func TestRulesWithNothingToLookAt(t *testing.T) {
	root := t.TempDir()
	write(t, root, "go.mod", "module example.org/shop\n")
	write(t, root, "Dockerfile", "FROM scratch\nRUN go build ./cmd/shop\n")
	result, err := Run(t.Context(), root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Unchecked{
		{"dockerfile-update", "no stage of a Dockerfile starts from a UBI image"},
		{"coverage-flags", "no Dockerfile builds with -cover"},
	} {
		if !slices.Contains(result.NotChecked, want) {
			t.Errorf("%+v is not among %+v", want, result.NotChecked)
		}
	}
}

// The page of the rules is true.
func TestThePageListsTheRules(t *testing.T) {
	page, err := os.ReadFile("../../docs/standards/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, r := range Rules() {
		fmt.Fprintf(&rows, "| `%s` | %s |\n", r.ID, r.Reason)
	}
	_, table, _ := strings.Cut(string(page), "|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if got, want := table+"\n", rows.String(); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
	if head := fmt.Sprintf("%d rules", len(Rules())); !strings.Contains(string(page), head) {
		t.Errorf("it does not say that there are %s", head)
	}
}

func TestRunWithoutModule(t *testing.T) {
	root := t.TempDir()
	_, err := Run(t.Context(), root, testOptions())
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "verify "+root+": ") {
		t.Errorf("error %v, want one that names the folder and the missing go.mod", err)
	}
}

func TestRunCancelled(t *testing.T) {
	root := t.TempDir()
	write(t, root, "go.mod", "module example.org/shop\n")
	stop := errors.New("stopped by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if _, err := Run(ctx, root, testOptions()); !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
}

func write(t *testing.T, root, name, content string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
