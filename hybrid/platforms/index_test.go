package platforms

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// program is the head of an ELF file for a machine.
func program(t *testing.T, machine elf.Machine) string {
	t.Helper()
	var b bytes.Buffer
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// made is an image for an architecture that starts /usr/bin/service, with one layer for each content of it.
func made(t *testing.T, architecture string, contents ...string) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: architecture, Config: v1.Config{Entrypoint: []string{"/usr/bin/service"}}, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range contents {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: "usr/bin/service", Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			t.Fatal(err)
		}
	}
	return img
}

const amd, arm = "hybrid.local/service:a", "hybrid.local/service:b"

// index writes the index of two images that an engine has.
func index(t *testing.T, dir string, first, second v1.Image) error {
	t.Helper()
	images := map[name.Tag]v1.Image{}
	for ref, img := range map[string]v1.Image{amd: first, arm: second} {
		tag, err := name.NewTag(ref)
		if err != nil {
			t.Fatal(err)
		}
		images[tag] = img
	}
	var b bytes.Buffer
	if err := tarball.MultiWrite(images, &b); err != nil {
		t.Fatal(err)
	}
	r := &command.Recorder{Replies: map[string]command.Reply{"docker save " + amd + " " + arm: {Stdout: b.String()}}}
	digest, err := Index(t.Context(), &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}, dir, map[string]string{"linux/amd64": amd, "linux/arm64": arm}, io.Discard)
	if err == nil && !strings.HasPrefix(digest, "sha256:") {
		t.Errorf("digest %q", digest)
	}
	return err
}

func TestIndexNamesEachPlatform(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "service")
	x86, arm64 := program(t, elf.EM_X86_64), program(t, elf.EM_AARCH64)
	// What an upper layer has counts.
	for range 2 {
		if err := index(t, dir, made(t, "amd64", arm64, x86), made(t, "arm64", arm64)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Check(dir, "linux/arm64", "linux/amd64"); err != nil {
		t.Error(err)
	}
	if err := Check(dir, "linux/amd64"); err == nil || !strings.HasSuffix(err.Error(), ": it has images for [linux/amd64 linux/arm64], wanted are [linux/amd64]") {
		t.Errorf("error %v", err)
	}
	if err := index(t, dir, made(t, "amd64", "#!/bin/sh\n"), made(t, "arm64", "#!/bin/sh\n")); err != nil {
		t.Errorf("a script: %v", err)
	}
}

func TestCheckFindsWhatIsForAnotherPlatform(t *testing.T) {
	x86, arm64 := program(t, elf.EM_X86_64), program(t, elf.EM_AARCH64)
	good := made(t, "amd64", x86)
	for want, img := range map[string]v1.Image{
		"image for linux/arm64: /usr/bin/service is a program for EM_X86_64, wanted is EM_AARCH64": made(t, "arm64", x86),
		"mismatched Architecture: amd64 != arm64":                                                  made(t, "amd64", arm64),
		"image for linux/arm64: it lacks the program that it starts, /usr/bin/service":             made(t, "arm64"),
	} {
		if err := index(t, filepath.Join(t.TempDir(), "service"), good, img); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestCheckFindsABlobThatWasChanged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "service")
	if err := index(t, dir, made(t, "amd64", program(t, elf.EM_X86_64)), made(t, "arm64", program(t, elf.EM_AARCH64))); err != nil {
		t.Fatal(err)
	}
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil || len(blobs) == 0 {
		t.Fatal(blobs, err)
	}
	if err := os.WriteFile(blobs[0], []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir, "linux/amd64", "linux/arm64"); err == nil {
		t.Error("it passed")
	}
}
