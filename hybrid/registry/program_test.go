package registry

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestPushedProgramsArePulledAsTheyAre(t *testing.T) {
	s := serve(t)
	file := filepath.Join(t.TempDir(), "compiled")
	if err := os.WriteFile(file, []byte("ELF"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "second")
	if err := os.WriteFile(second, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ref, err := s.PushPrograms(t.Context(), "courier", "arm64", file, second)
	if err != nil || !strings.HasPrefix(ref, s.String()+"/courier@sha256:") {
		t.Fatalf("pushed %q, %v", ref, err)
	}
	sent := s.blobs.Load()
	if again, err := s.PushPrograms(t.Context(), "courier", "arm64", file, second); err != nil || again != ref || s.blobs.Load() != sent {
		t.Errorf("the second time %q, %v, %d blobs more", again, err, s.blobs.Load()-sent)
	}
	at, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(at)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join([]string{config.OS, config.Architecture, config.Config.User, strings.Join(config.Config.Entrypoint, " ")}, " "); got != "linux arm64 65532:65532 /compiled" {
		t.Errorf("the image is %s", got)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 2 || validate.Image(img) != nil {
		t.Fatalf("%d layers, %v, %v", len(layers), err, validate.Image(img))
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(content)
	header, err := r.Next()
	if err != nil || header.Name != "compiled" || header.Mode != 0o755 {
		t.Fatalf("%v, %v", header, err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "ELF" {
		t.Errorf("it holds %q, %v", b, err)
	}
	if _, err := s.PushPrograms(t.Context(), "courier", "arm64", file+"-absent"); err == nil {
		t.Error("a program that is not there was pushed")
	}
}

func TestPinned(t *testing.T) {
	s, images := pushed(t)
	got, err := s.Pinned(t.Context(), one, two)
	if err != nil {
		t.Fatal(err)
	}
	for ref, at := range map[string]string{one: "/one@", two: "/base/two@"} {
		digest, err := images[ref].Digest()
		if err != nil {
			t.Fatal(err)
		}
		if want := s.String() + at + digest.String(); got[ref] != want {
			t.Errorf("%s is %s, want %s", ref, got[ref], want)
		}
	}
	if _, err := s.Pinned(t.Context(), "hybrid.local/one:gone"); err == nil {
		t.Error("an image that is not there has a digest")
	}
}
