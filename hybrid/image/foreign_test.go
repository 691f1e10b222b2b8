package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

const portable = `# A service.
ARG GO_IMAGE=go:1
ARG BASE_IMAGE=base:1

FROM ${GO_IMAGE} AS build
ARG UPDATE_EPOCH
RUN : "${UPDATE_EPOCH}" && dnf update -y
COPY main.go ./
RUN go build \
    -o /out

FROM build AS checked
RUN true

FROM ${BASE_IMAGE}
USER root
ARG UPDATE_EPOCH
RUN : "${UPDATE_EPOCH}" \
    && microdnf update -y
COPY --from=build /out /usr/bin/service
ENTRYPOINT ["/usr/bin/service"]
LABEL epoch=${UPDATE_EPOCH}
`

func TestForeign(t *testing.T) {
	got, err := foreign("Dockerfile", []byte(portable))
	if err != nil {
		t.Fatal(err)
	}
	want := `# A service.
ARG GO_IMAGE=go:1
ARG BASE_IMAGE=base:1

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG UPDATE_EPOCH
RUN : "${UPDATE_EPOCH}" && dnf update -y
COPY main.go ./
RUN go build \
    -o /out

FROM build AS checked
RUN true

FROM hybrid.local/foreign-base
USER root
ARG UPDATE_EPOCH
COPY --from=build /out /usr/bin/service
ENTRYPOINT ["/usr/bin/service"]
LABEL epoch=${UPDATE_EPOCH}
`
	if got.text != want || got.base != "${BASE_IMAGE}" {
		t.Errorf("base %q, text\n%s", got.base, got.text)
	}
}

func TestForeignRefusesWhatWouldRun(t *testing.T) {
	for want, text := range map[string]string{
		"Dockerfile: its last stage runs a program, which needs the platform that it is for: RUN useradd me": "FROM base\nARG UPDATE_EPOCH\nRUN : ${UPDATE_EPOCH}\nRUN useradd me\n",
		"Dockerfile: its last stage runs a program, which needs the platform that it is for: RUN touch /x":   "FROM base\nRUN touch /x\n",
		"Dockerfile: its last stage installs no security updates":                                            "FROM base\nCOPY a /\n",
		"Dockerfile: its last stage starts from stage one and not from a base image":                         "FROM base AS one\nFROM one\nCOPY a /\n",
	} {
		if _, err := foreign("Dockerfile", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestForeignRefusesUpdatesThatDoMore(t *testing.T) {
	const refusal = "Dockerfile: its last stage runs a program, which needs the platform that it is for: "
	for run, want := range map[string]string{
		"RUN : $UPDATE_EPOCH && microdnf update -y && microdnf clean all": "",
		"RUN : $UPDATE_EPOCH && /usr/bin/dnf update -y":                   "",
		"RUN : $UPDATE_EPOCH && dnf update -y && useradd me":              "all",
		"RUN : $UPDATE_EPOCH && dnf update -y && dnf install -y tzdata":   "all",
		"RUN : $UPDATE_EPOCH && dnf update -y; touch /x":                  "all",
		"RUN : $UPDATE_EPOCH && dnf update -y | tee /log":                 "all",
		"RUN : $(touch /x) $UPDATE_EPOCH && dnf update -y":                "all",
		"RUN : $UPDATE_EPOCH && apt-get upgrade -y":                       "all",
	} {
		if want != "" {
			want = refusal + run
		}
		got := ""
		if _, err := foreign("Dockerfile", []byte("FROM base\nARG UPDATE_EPOCH\n"+run+"\n")); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: error %q, want %q", run, got, want)
		}
	}
}

func TestForeignRefusesStagesOfAnotherPlatform(t *testing.T) {
	text := "FROM --platform=$TARGETPLATFORM base AS one\nRUN x\nFROM base\nARG UPDATE_EPOCH\nRUN : $UPDATE_EPOCH && dnf update -y\n"
	_, err := foreign("Dockerfile", []byte(text))
	if want := "Dockerfile: stage base runs on $TARGETPLATFORM and not on $BUILDPLATFORM"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err := foreign("Dockerfile", []byte(strings.Replace(text, "TARGET", "BUILD", 1))); err != nil {
		t.Error(err)
	}
}

// abroad is a repository with one service, and what its foreign image starts from.
func abroad(t *testing.T) (Options, Foreign, []Spec) {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{"Dockerfile": portable, "main.go": "package main\n", "Dockerfile.dockerignore": "*.md\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	epoch, err := ParseEpoch("2026-11-26", time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Root: root, Epoch: epoch, Args: map[string]string{"GO_IMAGE": "go:2", "BASE_IMAGE": "reg/base:2@sha256:1"}}
	f := Foreign{Platform: "linux/riscv", Bases: map[string]string{"reg/base:2@sha256:1": "reg/base-riscv:2"}, Tool: "go:2"}
	return o, f, []Spec{{Name: "service", Dockerfile: "Dockerfile"}}
}

func TestForeignPlansHaveKeysOfTheirOwn(t *testing.T) {
	o, f, specs := abroad(t)
	native, err := Plans(o, specs)
	if err != nil {
		t.Fatal(err)
	}
	plans, err := ForeignPlans(o, f, specs)
	if err != nil {
		t.Fatal(err)
	}
	p := plans[0]
	if p.Key == native[0].Key || p.Platform() != "linux/riscv" || native[0].Platform() != Native() || p.TaskName() != "image.service-riscv" {
		t.Errorf("key %s, native %s; platform %s, %s; task %s", p.Key, native[0].Key, p.Platform(), native[0].Platform(), p.TaskName())
	}
	u := Updated(plans)
	if len(u) != 1 || u[0].Repository() != "hybrid.local/updated-base" || !strings.Contains(p.text, "\nFROM "+u[0].Ref+"\n") {
		t.Errorf("updated bases %v of\n%s", u, p.text)
	}
	for _, want := range []string{"FROM --platform=linux/riscv reg/base-riscv:2 AS foreign\n", "FROM --platform=$BUILDPLATFORM go:2 AS update\n", "--installroot=/foreign"} {
		if !strings.Contains(u[0].text, want) {
			t.Errorf("the updated base lacks %q:\n%s", want, u[0].text)
		}
	}
	f.Bases["reg/base:2@sha256:1"] = "reg/base-riscv:3"
	if other, err := ForeignPlans(o, f, specs); err != nil || other[0].Key == p.Key {
		t.Errorf("another base leaves the key %s, %v", other[0].Key, err)
	}
	f.Bases = nil
	if _, err := ForeignPlans(o, f, specs); err == nil || err.Error() != "image service: there is no base image reg/base:2@sha256:1 for linux/riscv" {
		t.Errorf("error %v", err)
	}
}

func TestForeignTasksUpdateTheBaseFirst(t *testing.T) {
	o, f, specs := abroad(t)
	r := &command.Recorder{Replies: map[string]command.Reply{"docker image inspect": {Stdout: "[]"}, "docker build": {}}}
	o.Engine = &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}
	plans, err := ForeignPlans(o, f, specs)
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := ForeignTasks(t.Context(), o, plans)
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) != 2 || tasks[1].Name != "image.service-riscv" || len(tasks[1].Needs) != 1 || tasks[1].Needs[0] != tasks[0].Name {
		t.Fatalf("tasks %+v", tasks)
	}
	if err := (task.Group{Phase: "build", LogDir: t.TempDir()}).Run(t.Context(), tasks...); err != nil {
		t.Fatal(err)
	}
	var builds []string
	for _, call := range r.Calls() {
		if strings.HasPrefix(call, "docker build") {
			builds = append(builds, call)
		}
	}
	if len(builds) != 2 || !strings.Contains(builds[0], plans[0].updated[0].Ref) || !strings.Contains(builds[1], " --tag "+plans[0].Ref+" ") {
		t.Fatalf("builds %q", builds)
	}
	for _, b := range builds {
		if !strings.Contains(b, " --platform linux/riscv ") {
			t.Errorf("%s is for this machine", b)
		}
	}
	if !strings.HasSuffix(builds[1], " "+o.Root) || strings.HasSuffix(builds[0], " "+o.Root) {
		t.Errorf("contexts of %q", builds)
	}
	if tasks, err := ForeignTasks(t.Context(), o, nil); tasks != nil || err != nil {
		t.Errorf("of none %v, %v", tasks, err)
	}
}

func TestCheckForeign(t *testing.T) {
	o, _, specs := abroad(t)
	if err := CheckForeign(o.Root, specs); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(o.Root, "Store"), []byte("FROM base\nRUN useradd me\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := CheckForeign(o.Root, append(specs, Spec{Name: "store", Dockerfile: "Store"}))
	if want := "image store: Store: its last stage runs a program, which needs the platform that it is for: RUN useradd me"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func FuzzForeign(f *testing.F) {
	f.Add(portable)
	f.Add("FROM a\nRUN : UPDATE_EPOCH <<E\nx\nE\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := foreign("f", []byte(text))
		if err != nil {
			return
		}
		// What comes out is a Dockerfile again, whose last stage runs nothing.
		if again, err := foreign("f", []byte(got.text)); err == nil {
			t.Errorf("it installs updates still:\n%s\nwas\n%s", again.text, text)
		} else if !strings.Contains(err.Error(), "installs no security updates") {
			t.Errorf("%v in\n%s\nof\n%s", err, got.text, text)
		}
	})
}
