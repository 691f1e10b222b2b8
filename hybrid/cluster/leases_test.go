package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

func TestLeaseFolder(t *testing.T) {
	for _, c := range []struct{ state, home, want string }{
		{"/state", "/home/a", "/state/hybrid/leases"},
		{"", "/home/a", "/home/a/.local/state/hybrid/leases"},
		{"relative", "/home/a", "/home/a/.local/state/hybrid/leases"},
		{"", "", ""},
		{"", "relative", ""},
	} {
		env := map[string]string{"XDG_STATE_HOME": c.state, "HOME": c.home}
		if got := LeaseFolder(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("XDG_STATE_HOME=%q HOME=%q gave %q, want %q", c.state, c.home, got, c.want)
		}
	}
}

func TestOpenLeases(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "leases")
	l, err := OpenLeases(folder)
	if err != nil || l.folder != folder {
		t.Fatalf("%+v, %v", l, err)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]string{
		"": "neither XDG_STATE_HOME nor HOME names a folder for leases", filepath.Join(file, "x"): "create the folder of leases: ", file: "create the folder of leases: ",
	} {
		l, err := OpenLeases(folder)
		if err == nil || !strings.HasPrefix(err.Error(), want) || l != (Leases{}) {
			t.Errorf("%q: %+v, %v", folder, l, err)
		}
	}
}

// TestNoLeases does everything without a folder.
func TestNoLeases(t *testing.T) {
	r := Record{Config: config(), State: t.TempDir(), Checkout: "/src/a"}
	if err := r.save(Leases{}); err != nil {
		t.Error(err)
	}
	if l, err := (Leases{}).get(r.Config.Name); l != nil || err != nil {
		t.Errorf("%v, %v", l, err)
	}
	if l, err := (Leases{}).list(); l != nil || err != nil {
		t.Errorf("%v, %v", l, err)
	}
	if err := (Leases{}).drop(r); err != nil {
		t.Error(err)
	}
}

func TestListTellsOfLeasesThatCannotBeRead(t *testing.T) {
	l := Leases{folder: t.TempDir()}
	good := Record{Config: Config{Name: "b"}, Checkout: "/src/b", State: "/src/b/.hybrid/b", Started: noon}
	if err := l.put(good); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"a.json": "{", "c.json": `{"config":{"name":"b"},"checkout":"/src/b","state":"/src"}`, "d.json": `{"config":{"name":"d"}}`,
		"e.json.new": "{", ".f.json": "{", "g": "{",
	} {
		if err := os.WriteFile(filepath.Join(l.folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.list()
	if !reflect.DeepEqual(got, []Record{good}) {
		t.Errorf("list %+v", got)
	}
	want := []string{
		"read the lease: " + l.path("a") + ": unexpected end of JSON input", l.path("c") + " is no lease of cluster c", l.path("d") + " is no lease of cluster d",
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("error\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	if next := fault.Next(err); next != "rm "+l.path("a") {
		t.Errorf("next %q", next)
	}
}

func TestDropLeavesTheLeaseOfAnotherClaim(t *testing.T) {
	l := Leases{folder: t.TempDir()}
	r := Record{Config: config(), Checkout: "/src/a", State: "/src/a/.hybrid/a", Started: noon}
	if err := l.put(r); err != nil {
		t.Fatal(err)
	}
	later := r
	later.Started = noon.Add(time.Nanosecond)
	if err := l.drop(later); err != nil {
		t.Fatal(err)
	}
	if got, err := l.get(r.Config.Name); got == nil || err != nil {
		t.Fatalf("the lease is %v, %v", got, err)
	}
	if err := l.drop(r); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.path(r.Config.Name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lease is still there: %v", err)
	}
}
