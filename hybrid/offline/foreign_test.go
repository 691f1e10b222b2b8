package offline

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

func TestUBIOfAnotherPlatform(t *testing.T) {
	m, r := testMaker(t, map[string]command.Reply{"mmdebstrap": {}, "docker build": {}})
	if len(m.foreign) != 0 {
		t.Fatalf("nobody asked for %v", m.foreign)
	}
	native := m.refs()
	m.Foreign = []string{"linux/riscv"}
	for range 2 {
		if err := m.name(); err != nil {
			t.Fatal(err)
		}
	}
	for name, ref := range m.refs() {
		if ref != native[name] {
			t.Errorf("%s became %s, was %s", name, ref, native[name])
		}
	}
	f := m.foreign[0]
	m.present = map[string]bool{m.debian.ref: true, m.ubi.ref: true}
	tasks := append([]task.Task{m.buildTask("base.ubi-minimal", m.ubi, "base.debian-riscv")}, m.foreignTasks(f)...)
	if err := (task.Group{Phase: "images", LogDir: t.TempDir()}).Run(t.Context(), tasks...); err != nil {
		t.Fatal(err)
	}
	scratch := regexp.MustCompile(regexp.QuoteMeta(m.Work) + `/debian-\w+`)
	got := scratch.ReplaceAllString(strings.Join(r.Calls(), "\n"), "DIR")
	want := strings.Join([]string{
		`mmdebstrap --variant=extract --mode=root --architectures=riscv --include=base-files,bash,ca-certificates,coreutils ` +
			`'--aptopt=APT::Install-Recommends "false"' '--aptopt=Acquire::Retries "3"' bookworm DIR/debian.tar /etc/apt/debian.sources`,
		"docker build --file DIR/Dockerfile --tag " + f.debian.ref + " --progress plain --platform linux/riscv DIR",
		"docker build --file " + m.Root + "/docker/base/ubi-minimal-foreign.Dockerfile --tag " + f.ubi.ref + " --progress plain --platform linux/riscv" +
			" --build-arg DEBIAN_IMAGE=" + f.debian.ref + " --build-arg UBI_MINIMAL_IMAGE=" + m.ubi.ref + " --label io.hybrid.stand-in=" + UBIMinimal + " " + m.Root + "/docker/base",
	}, "\n")
	if got != want {
		t.Errorf("calls\n%s\nwant\n%s", got, want)
	}
	m.present[f.ubi.ref] = true
	before := len(r.Calls())
	if err := (task.Group{Phase: "images", LogDir: t.TempDir()}).Run(t.Context(), append(tasks[:1:1], m.foreignTasks(f)...)...); err != nil || len(r.Calls()) != before {
		t.Errorf("what is there is made again: %v, %q", err, r.Calls()[before:])
	}
}

func TestARegistryHasAllPlatforms(t *testing.T) {
	var result Images
	pulls(Options{Foreign: []string{"linux/riscv"}, NoNode: true}, &result)
	if result.Foreign["linux/riscv"] != UBIMinimal || result.Node != "" {
		t.Errorf("%+v", result)
	}
}
