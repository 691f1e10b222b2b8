package offline

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

func TestAptOptions(t *testing.T) {
	const dump = `APT "";
Acquire "";
Acquire::http::Proxy "http://proxy:3128";
Acquire::http::Proxy::deb.debian.org "DIRECT";
Acquire::https::Verify-Peer "";
Acquire::IndexTargets::deb::Packages::MetaKey "$(COMPONENT)";
Acquire::Check-Valid-Until "false";
DPkg::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb || true";
`
	want := []string{
		`Acquire::http::Proxy "http://proxy:3128"`, `Acquire::http::Proxy::deb.debian.org "DIRECT"`, `Acquire::Check-Valid-Until "false"`,
	}
	if got := aptOptions(dump); !reflect.DeepEqual(got, want) {
		t.Errorf("options %q, want %q", got, want)
	}
}

func TestMakeDebian(t *testing.T) {
	m, r := testMaker(t, map[string]command.Reply{"mmdebstrap": {}, "docker import": {}})
	err := task.Group{Phase: "images"}.Run(t.Context(), task.Task{Name: "base.debian", Run: m.makeDebian})
	if err != nil {
		t.Fatal(err)
	}
	calls := r.Calls()
	if len(calls) != 2 {
		t.Fatalf("calls %q", calls)
	}
	words := strings.Fields(calls[0])
	archive := words[len(words)-2]
	if filepath.Base(archive) != "debian.tar" || words[len(words)-3] != suite || words[len(words)-1] != "/etc/apt/debian.sources" {
		t.Errorf("mmdebstrap ends with %q", words[len(words)-3:])
	}
	for _, want := range []string{
		"mmdebstrap --variant=minbase ", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=usr-is-merged",
		`'--aptopt=Acquire::Retries "3"'`, "--customize-hook=" + m.Root + "/docker/base/debian.sh ",
	} {
		if !strings.Contains(calls[0], want) {
			t.Errorf("mmdebstrap is called without %s:\n%s", want, calls[0])
		}
	}
	want := "docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' " +
		`--change 'CMD ["/bin/bash"]' ` + archive + " " + m.debian.ref
	if calls[1] != want {
		t.Errorf("import\n%s\nwant\n%s", calls[1], want)
	}
	left, err := filepath.Glob(filepath.Join(m.Work, "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind %q, %v", left, err)
	}
}
