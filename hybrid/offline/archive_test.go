package offline

import (
	"archive/tar"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// layerTar writes a layer with one small file.
func layerTar(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "layer.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	if err := w.WriteHeader(&tar.Header{Name: "pause", Mode: 0o755, Size: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("#!")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestArchiveSharesOneLayer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "images.tar")
	entrypoints := map[string]string{
		"registry.k8s.io/kube-apiserver:v1.37.2":  "/usr/local/bin/kube-apiserver",
		"registry.k8s.io/coredns/coredns:v1.14.6": "/coredns",
		sandboxImage: "/pause",
		networkImage: "/usr/local/bin/kindnetd",
	}
	refs := archiveRefs("registry.k8s.io/kube-apiserver:v1.37.2\nregistry.k8s.io/coredns/coredns:v1.14.6\n")
	if len(refs) != len(entrypoints) {
		t.Fatalf("references %q", refs)
	}
	if err := writeArchive(file, layerTar(t), refs); err != nil {
		t.Fatal(err)
	}
	layers := map[string]bool{}
	for ref, want := range entrypoints {
		tag, err := name.NewTag(ref)
		if err != nil {
			t.Fatal(err)
		}
		image, err := tarball.ImageFromPath(file, &tag)
		if err != nil {
			t.Fatalf("%s: %v", ref, err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(config.Config.Entrypoint, []string{want}) || config.OS != "linux" {
			t.Errorf("%s: entrypoint %q on %s, want %q", ref, config.Config.Entrypoint, config.OS, want)
		}
		if len(config.RootFS.DiffIDs) != 1 {
			t.Fatalf("%s has %d layers", ref, len(config.RootFS.DiffIDs))
		}
		layers[config.RootFS.DiffIDs[0].String()] = true
	}
	if len(layers) != 1 {
		t.Errorf("%d different layers, want one", len(layers))
	}
}

func TestArchiveNeedsAProgramForEveryImage(t *testing.T) {
	const ref = "registry.k8s.io/kube-novelty:v1.40.0"
	err := writeArchive(filepath.Join(t.TempDir(), "images.tar"), layerTar(t), []string{ref})
	if err == nil || !strings.Contains(err.Error(), ref) {
		t.Errorf("error %v", err)
	}
}

func TestArchiveRefsRepeatsNone(t *testing.T) {
	got := archiveRefs("registry.k8s.io/pause:3.10\n")
	if want := []string{sandboxImage, networkImage}; !reflect.DeepEqual(got, want) {
		t.Errorf("references %q, want %q", got, want)
	}
}
