package image

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const sample = `ARG BASE=x
FROM ${BASE} AS build
ARG UPDATE_EPOCH
ARG GOPROXY
ARG COVERAGE=0
COPY go.mod ./
COPY pkg/ pkg/
RUN --mount=type=bind,source=scripts,target=/s --mount=type=cache,target=/c true
FROM ${BASE}
COPY --from=build /out /out
`

// tree writes a small repository.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	all := map[string]string{
		"docker/a.Dockerfile":              sample,
		"docker/a.Dockerfile.dockerignore": "**/*_test.go\n",
		"go.mod":                           "module m\n",
		"pkg/a.go":                         "package a\n",
		"pkg/a_test.go":                    "package a\n",
		"scripts/s.sh":                     "true\n",
		"docs/readme.md":                   "hello\n",
	}
	maps.Copy(all, files)
	for name, content := range all {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func keyOf(t *testing.T, root string, change func(*Options)) string {
	t.Helper()
	epoch, err := ParseEpoch("", noon)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Root: root, Epoch: epoch, Platform: "linux/amd64", Args: map[string]string{"BASE": "ubi@sha256:1", "COVERAGE": "1", "UNKNOWN": "x"}}
	if change != nil {
		change(&o)
	}
	plans, err := Plans(o, []Spec{{Name: "a", Dockerfile: "docker/a.Dockerfile"}})
	if err != nil {
		t.Fatal(err)
	}
	return plans[0].Key
}

func TestKeyDependsOnExactlyWhatTheDockerfileCanSee(t *testing.T) {
	base := keyOf(t, tree(t, nil), nil)
	if len(base) != keyLength {
		t.Fatalf("key %q", base)
	}
	for name, content := range map[string]string{"pkg/a_test.go": "package b\n", "docs/readme.md": "changed\n", "pkg2/x.go": "new\n"} {
		if got := keyOf(t, tree(t, map[string]string{name: content}), nil); got != base {
			t.Errorf("a change of %s, which the build cannot see, changed the key", name)
		}
	}
	for name, content := range map[string]string{
		"go.mod": "module n\n", "pkg/a.go": "package b\n", "pkg/new.go": "package a\n", "scripts/s.sh": "false\n",
		"docker/a.Dockerfile": sample + "USER 1001\n",
	} {
		if got := keyOf(t, tree(t, map[string]string{name: content}), nil); got == base {
			t.Errorf("a change of %s did not change the key", name)
		}
	}
}

func TestKeyDependsOnArgumentsEpochAndPlatform(t *testing.T) {
	root := tree(t, nil)
	base := keyOf(t, root, nil)
	next, err := ParseEpoch("", noon.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	changes := map[string]func(*Options){
		"base":     func(o *Options) { o.Args["BASE"] = "ubi@sha256:2" },
		"coverage": func(o *Options) { o.Args["COVERAGE"] = "0" },
		"epoch":    func(o *Options) { o.Epoch = next },
		"platform": func(o *Options) { o.Platform = "linux/arm64" },
	}
	for name, change := range changes {
		if keyOf(t, root, change) == base {
			t.Errorf("%s does not count into the key", name)
		}
	}
	same := map[string]func(*Options){
		"undeclared argument": func(o *Options) { o.Args["UNKNOWN"] = "y" },
		"module proxy":        func(o *Options) { o.Transport = map[string]string{"GOPROXY": "https://example.test"} },
	}
	for name, change := range same {
		if keyOf(t, root, change) != base {
			t.Errorf("%s counts into the key", name)
		}
	}
}

func TestPlansReportEveryMistake(t *testing.T) {
	root := tree(t, map[string]string{"docker/b.Dockerfile": "FROM x\nCOPY missing /\n", "docker/c.Dockerfile": "FORM x\n"})
	_, err := Plans(Options{Root: root}, []Spec{
		{Name: "b", Dockerfile: "docker/b.Dockerfile"},
		{Name: "c", Dockerfile: "docker/c.Dockerfile"},
		{Name: "d", Dockerfile: "docker/d.Dockerfile"},
		{Name: "e", Dockerfile: "docker/a.Dockerfile", Args: map[string]string{"NOPE": "1"}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`image b: docker/b.Dockerfile copies "missing", which is not in the build context`,
		"unknown instruction: FORM", "d.Dockerfile: no such file", "declares no ARG NOPE",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
}

func TestOnlyMissingImagesAreBuilt(t *testing.T) {
	root := tree(t, nil)
	epoch, err := ParseEpoch("", noon)
	if err != nil {
		t.Fatal(err)
	}
	r := &command.Recorder{}
	o := Options{
		Root: root, Epoch: epoch, Network: "host", Engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r},
		Args: map[string]string{"BASE": "ubi"}, Transport: map[string]string{"GOPROXY": "p", "GOFLAGS": "f"},
	}
	plans, err := Plans(o, []Spec{{Name: "a", Dockerfile: "docker/a.Dockerfile"}, {Name: "b", Dockerfile: "docker/a.Dockerfile"}})
	if err != nil {
		t.Fatal(err)
	}
	r.Replies = map[string]command.Reply{
		"docker image inspect": {Stdout: `[{"Id":"sha256:aa","RepoTags":["` + plans[0].Ref + `"]}]`},
		"docker build":         {},
	}
	tasks, err := Tasks(t.Context(), o, plans)
	if err != nil {
		t.Fatal(err)
	}
	if err := (task.Group{Phase: "build"}).Run(t.Context(), tasks...); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"docker image inspect " + plans[0].Ref + " " + plans[1].Ref,
		"docker build --file " + root + "/docker/a.Dockerfile --tag " + plans[1].Ref + " --progress plain --network host" +
			" --build-arg BASE=ubi --build-arg GOPROXY=p --build-arg UPDATE_EPOCH=2026-11-23" +
			" --label io.hybrid.key=" + plans[1].Key + " --label io.hybrid.security-epoch=2026-11-23 " + root,
	}
	if !reflect.DeepEqual(r.Calls(), want) {
		t.Errorf("calls\n%q\nwant\n%q", r.Calls(), want)
	}
}

// updating updates two bases, one of them in two stages, and one too late to be shared.
const updating = `# A comment.
ARG BASE=example.com/ubi:1@sha256:aa
ARG OTHER=x
ARG UNUSED=y
FROM ${BASE} AS build
USER root
ARG UPDATE_EPOCH
RUN : "${UPDATE_EPOCH}" \
    && dnf update -y
COPY go.mod ./
FROM ${OTHER}
COPY go.mod ./
ARG UPDATE_EPOCH
RUN : "${UPDATE_EPOCH}" && dnf update -y
FROM build
ARG UPDATE_EPOCH
RUN : "${UPDATE_EPOCH}" && dnf update -y
FROM ${BASE}
USER root
ARG UPDATE_EPOCH
# It stands between.
RUN : "${UPDATE_EPOCH}" \
    && dnf update -y
COPY --from=build /go.mod /
`

func TestUpdatedBasesAreBuiltOnceAndSaveTheUpdates(t *testing.T) {
	root := tree(t, map[string]string{"docker/b.Dockerfile": updating, "docker/c.Dockerfile": updating + "USER 1001\n"})
	epoch, err := ParseEpoch("", noon)
	if err != nil {
		t.Fatal(err)
	}
	r := &command.Recorder{}
	o := Options{
		Root: root, Epoch: epoch, Engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r},
		Args: map[string]string{"BASE": "hybrid.local/base/ubi:key", "OTHER": "z"},
	}
	plans, err := Plans(o, []Spec{{Name: "b", Dockerfile: "docker/b.Dockerfile"}, {Name: "c", Dockerfile: "docker/c.Dockerfile"}})
	if err != nil {
		t.Fatal(err)
	}
	bases := Updated(plans)
	if len(bases) != 1 {
		t.Fatalf("updated bases %+v", bases)
	}
	base := bases[0]
	want := "ARG BASE=example.com/ubi:1@sha256:aa\nFROM ${BASE}\nUSER root\nARG UPDATE_EPOCH\nRUN : \"${UPDATE_EPOCH}\" \\\n    && dnf update -y\n"
	if base.text != want {
		t.Errorf("Dockerfile\n%s\nwant\n%s", base.text, want)
	}
	if base.Ref != "hybrid.local/updated-ubi:"+base.Key || base.TaskName() != "image.updated-ubi."+base.Key {
		t.Errorf("reference %s, task %s", base.Ref, base.TaskName())
	}
	r.Replies = map[string]command.Reply{"docker image inspect": {Stdout: "[]"}, "docker build": {}}
	build := func(some []Plan) string {
		tasks, err := Tasks(t.Context(), o, some)
		if err != nil {
			t.Fatal(err)
		}
		if err := (task.Group{Phase: "build"}).Run(t.Context(), tasks...); err != nil {
			t.Fatal(err)
		}
		calls := r.Calls()
		return calls[len(calls)-1]
	}
	if got := build(bases); !strings.Contains(got, " --build-arg BUILDKIT_INLINE_CACHE=1 --build-arg BASE=hybrid.local/base/ubi:key --build-arg UPDATE_EPOCH=2026-11-23 ") ||
		strings.Contains(got, root) {
		t.Errorf("the base is built by %s", got)
	}
	if got := build(plans[:1]); strings.Contains(got, "--cache-from") {
		t.Errorf("without the base the image is built by %s", got)
	}
	r.Replies["docker image inspect"] = command.Reply{Stdout: `[{"Id":"sha256:aa","RepoTags":["` + base.Ref + `"]}]`}
	if got := build(plans[:1]); !strings.Contains(got, " --cache-from "+base.Ref+" ") {
		t.Errorf("with the base the image is built by %s", got)
	}
}

func TestUpdatedBasesChangeWithBaseAndEpoch(t *testing.T) {
	root := tree(t, map[string]string{"docker/b.Dockerfile": updating})
	seen := map[string]bool{}
	for _, o := range []Options{
		{Args: map[string]string{"BASE": "one"}},
		{Args: map[string]string{"BASE": "two"}},
		{Args: map[string]string{"BASE": "one"}, Epoch: Epoch{text: "2026-11-24"}},
		{Args: map[string]string{"BASE": "one"}, Platform: "linux/s390x"},
	} {
		o.Root = root
		plans, err := Plans(o, []Spec{{Name: "b", Dockerfile: "docker/b.Dockerfile"}})
		if err != nil {
			t.Fatal(err)
		}
		seen[Updated(plans)[0].Ref] = true
	}
	if len(seen) != 4 {
		t.Errorf("references %v, want 4", seen)
	}
}

func TestParseEpoch(t *testing.T) {
	for value, want := range map[string]string{
		"": "2026-11-23", "always": "2026-11-23T12:00:00Z", "2026-11-23": "2026-11-23", "2026-11-23T08:00:00Z": "2026-11-23T08:00:00Z",
	} {
		got, err := ParseEpoch(value, noon)
		if err != nil || got.String() != want {
			t.Errorf("ParseEpoch(%q) = %q, %v; want %q", value, got, err, want)
		}
	}
	for _, value := range []string{"yesterday", "2026-11-21", "2026-11-24"} {
		if got, err := ParseEpoch(value, noon); err == nil {
			t.Errorf("ParseEpoch(%q) = %q, want an error", value, got)
		}
	}
}

func TestCheckLabel(t *testing.T) {
	if err := CheckLabel("2026-11-23", noon); err != nil {
		t.Error(err)
	}
	if err := CheckLabel("2026-11-22", noon.Add(time.Hour)); err == nil {
		t.Error("an update 37 h ago passed")
	}
	if err := CheckLabel("", noon); err == nil {
		t.Error("a missing label passed")
	}
}

func FuzzParseDockerfile(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("FROM x\nCOPY $A /\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := parseDockerfile("Dockerfile", content)
		if err != nil {
			return
		}
		for _, s := range d.sources {
			if strings.HasPrefix(s, "/") || s == ".." || strings.HasPrefix(s, "../") {
				t.Errorf("source %q leaves the context", s)
			}
		}
	})
}

func TestAge(t *testing.T) {
	for label, want := range map[string]time.Duration{
		"2026-11-23": 12 * time.Hour, "2026-11-23T11:45:00Z": 15 * time.Minute, "2026-11-24": 0, "": 0, "yesterday": 0,
	} {
		if got := Age(label, noon); got != want {
			t.Errorf("the age of %q is %v, want %v", label, got, want)
		}
	}
}
