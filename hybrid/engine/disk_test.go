package engine

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
)

func TestVolumeSizes(t *testing.T) {
	e, _ := docker(map[string]command.Reply{
		"docker system df --verbose --format '{{json .Volumes}}'": {Stdout: `[{"Name":"a","Size":"989.3MB"},{"Name":"b","Size":"N/A"},{"Name":"c","Size":"0B"}]`},
	})
	got, err := e.VolumeSizes(t.Context())
	if err != nil || !maps.Equal(got, map[string]int64{"a": 989300000, "c": 0}) {
		t.Errorf("%v, %v", got, err)
	}
	e.Kind = Podman
	if got, err := e.VolumeSizes(t.Context()); got != nil || err != nil {
		t.Errorf("podman: %v, %v", got, err)
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"0B": 0, "12B": 12, "1.5kB": 1500, "3.31MB": 3310000, "2GB": 2e9, "1.25TB": 1250e9} {
		if got, err := ParseSize(text); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "N/A", "12", "12KiB", "MB"} {
		if got, err := ParseSize(text); err == nil || !strings.Contains(err.Error(), "is no size") {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestDiskUse(t *testing.T) {
	e, r := docker(map[string]command.Reply{
		"docker system df": {Stdout: "Images: 2.45GB\nContainers: 3.311MB\nLocal Volumes: 0B\nBuild Cache: 3.11GB\n"},
	})
	if got, err := e.DiskUse(t.Context()); got != 5563311000 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	if calls := r.Calls(); len(calls) != 1 || calls[0] != "docker system df --format '{{.Type}}: {{.Size}}'" {
		t.Errorf("calls %q", calls)
	}
	for name, reply := range map[string]command.Reply{
		"ask for the engine's disk use: ": {Err: errors.New("no")}, "read the engine's disk use: ": {Stdout: "Images: much\n"},
	} {
		r.Replies["docker system df"] = reply
		if got, err := e.DiskUse(t.Context()); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%d, %v", got, err)
		}
	}
}

// FuzzParseSize looks for a text that is no size and is taken for one.
func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"989.3MB", "0B", "1e3kB", "-1B", "NaNB", "+InfGB", "1e300TB", "0x1p4B", "1 B", "12KiB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := ParseSize(text); got < 0 || err != nil && got != 0 {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	})
}
