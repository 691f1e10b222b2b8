package room

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

func TestCheckNamesEveryPlaceWithoutRoom(t *testing.T) {
	dir := t.TempDir()
	if err := Check(Place{"the store", dir, 1, "free it"}, Place{"what is not made yet", filepath.Join(dir, "a", "b"), 1, ""}); err != nil {
		t.Error(err)
	}
	err := Check(Place{"the store", dir, math.MaxInt64, "free it"}, Place{"artifacts", dir, math.MaxInt64, "free that"})
	if err == nil || strings.Count(err.Error(), "needs 8589934592.0 GiB, and "+dir+" has ") != 2 || fault.Next(err) != "free it" {
		t.Errorf("error %v, next %q", err, fault.Next(err))
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(Place{"the store", filepath.Join(file, "x"), 1, ""}); err == nil {
		t.Error("a folder below a file is no mistake")
	}
}

func TestExplain(t *testing.T) {
	other := errors.New("other")
	if Explain(nil) != nil || !errors.Is(Explain(other, Place{Folder: "/dev"}), other) {
		t.Error("it explains what it should not")
	}
	// The file system of /proc has no room at all.
	full := Place{"the store", "/proc", 1, "free it"}
	for _, err := range []error{
		fmt.Errorf("write: %w", syscall.ENOSPC), errors.New("ctr: write /var/x: no space left on device"),
	} {
		got := Explain(err, full, Place{"artifacts", t.TempDir(), 1, ""})
		if want := "the disk with the store, /proc, is full: 0 MiB free\n" + err.Error(); got.Error() != want || fault.Next(got) != "free it" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "meminfo")
	for content, want := range map[string]string{
		"MemTotal: 9 kB\nMemAvailable:  1572864 kB\n": "",
		"MemAvailable:  1572863 kB\n":                 "1.5 GiB of memory are available, and one build takes 1.5 GiB",
		"MemAvailable:  5120 kB\n":                    "5 MiB of memory are available, and one build takes 1.5 GiB",
		"nothing":                                     "",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := CheckMemory(file); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%q: error %v, want %q", content, err, want)
		}
	}
	if _, err := Memory(file); err != nil && !strings.HasSuffix(err.Error(), "has no line MemAvailable") {
		t.Error(err)
	}
	if err := CheckMemory(file + "-not-there"); err != nil {
		t.Errorf("where the kernel does not tell: %v", err)
	}
}

func TestClustersThatDoNotFitAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "meminfo")
	if err := os.WriteFile(file, []byte("MemAvailable:    5242880 kB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for clusters, want := range map[int]string{0: "", 1: "", 2: "", 3: "3 clusters take 6.0 GiB of memory, and 5.0 GiB are available"} {
		err := CheckClusters(file, clusters)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%d clusters: %v, want %q", clusters, err, want)
		}
		if next := fault.Next(err); want != "" && next != "end other programs, mage down, or take 2 shards" {
			t.Errorf("next %q", next)
		}
	}
	if err := CheckClusters(file+"-not-there", 9); err != nil {
		t.Errorf("without figures: %v", err)
	}
}
