//go:build engine

package load

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// shell is a program that a test's image has as its shell: it keeps its input.
const shell = `package main

import (
	"io"
	"os"
)

func main() {
	f, err := os.Create("/kept")
	if err == nil {
		_, err = io.Copy(f, os.Stdin)
	}
	if _, storeErr := os.Stat("/store"); err != nil || storeErr != nil {
		os.Exit(1)
	}
}
`

// The images of this test, which no other has.
const (
	below  = "hybrid.local/engine-test:below"
	above  = "hybrid.local/engine-test:above"
	result = "hybrid.local/engine-test:result"
)

// TestAnEngine takes a real engine, that of CONTAINER_ENGINE, through what a run asks of it
// but for nodes: build, inspection, an archive of several images, baking, disk use.
func TestAnEngine(t *testing.T) {
	e, err := engine.Detect(t.Context(), command.Exec{}, os.Getenv("CONTAINER_ENGINE"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %s", e.Kind, e.Version)
	e.Mark = "enginetest"
	t.Cleanup(func() {
		if _, err := e.Run(context.WithoutCancel(t.Context()), nil, "image", "rm", "--force", result, above, below); err != nil {
			t.Log(err)
		}
	})
	dir := t.TempDir()
	write(t, filepath.Join(dir, "shell.go"), shell)
	if _, err := (command.Exec{}).Run(t.Context(), command.Command{
		Args: []string{"go", "build", "-o", "sh", "shell.go"}, Dir: dir, Env: []string{"CGO_ENABLED=0", "GOFLAGS="},
	}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "below.Dockerfile"), "FROM scratch\nCOPY sh /bin/sh\n")
	write(t, filepath.Join(dir, "above.Dockerfile"), "ARG BASE\nFROM ${BASE}\nCOPY . /all/\n")
	write(t, filepath.Join(dir, "above.Dockerfile.dockerignore"), "*\n!shell.go\n")
	for _, b := range []engine.BuildOptions{
		{Dockerfile: filepath.Join(dir, "below.Dockerfile"), Tag: below, Labels: map[string]string{"a.b/c": "d e"}},
		{Dockerfile: filepath.Join(dir, "above.Dockerfile"), Tag: above, Args: map[string]string{"BASE": below}, Network: "host"},
	} {
		b.Context, b.Log = dir, t.Output()
		if err := e.Build(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	held, err := e.Inspect(t.Context(), below, above, result)
	if err != nil || len(held) != 2 || held[below].Config.Labels["a.b/c"] != "d e" || len(held[above].RootFS.Layers) != 2 {
		t.Fatalf("inspected %+v, %v", held, err)
	}
	if got := saved(t, e, below, above); got[below] != held[below].ID || got[above] != held[above].ID || len(got) != 2 {
		t.Errorf("saved %v, want the ids of %+v", got, held)
	}
	bake(t, e)
	if use, err := e.DiskUse(t.Context()); use <= 0 || err != nil {
		t.Errorf("disk use %d, %v", use, err)
	}
	if folder, err := e.StoreFolder(t.Context()); !filepath.IsAbs(folder) || err != nil {
		t.Errorf("store in %q, %v", folder, err)
	}
}

// bake has the shell keep its input in an image.
func bake(t *testing.T, e *engine.Engine) {
	t.Helper()
	err := e.Bake(t.Context(), engine.BakeOptions{
		From: below, To: result, Shell: []string{"-c", "true"}, Stdin: strings.NewReader("input"), Purpose: "test", Log: t.Output(),
		Changes: []string{`ENTRYPOINT ["/bin/sh", "x"]`, "CMD []", "LABEL made=here"},
	})
	if err != nil {
		t.Fatal(err)
	}
	held, err := e.Inspect(t.Context(), result)
	if err != nil || held[result].Config.Labels["made"] != "here" || len(held[result].RootFS.Layers) != 2 {
		t.Errorf("baked %+v, %v", held, err)
	}
	if left, err := e.MarkedContainers(t.Context(), e.Mark); len(left) > 0 || err != nil {
		t.Errorf("left %+v, %v", left, err)
	}
	if err := e.RemoveContainers(t.Context(), "hybrid-engine-test-absent"); err != nil {
		t.Error(err)
	}
}

// saved has the engine save the images in one archive, and gives the digest of each one's
// configuration in it.
func saved(t *testing.T, e *engine.Engine, refs ...string) map[string]string {
	t.Helper()
	var archive, converted bytes.Buffer
	if err := Save(t.Context(), e, refs, &archive, t.Output()); err != nil {
		t.Fatal(err)
	}
	if _, err := convert(&archive, &converted, refs, nil); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(&converted); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	var index ocispec.Index
	if err := json.Unmarshal(files[ocispec.ImageIndexFile], &index); err != nil {
		t.Fatal(err)
	}
	digests := map[string]string{}
	for _, m := range index.Manifests {
		var manifest ocispec.Manifest
		if err := json.Unmarshal(files["blobs/sha256/"+m.Digest.Encoded()], &manifest); err != nil {
			t.Fatal(err)
		}
		digests[m.Annotations[imageName]] = manifest.Config.Digest.String()
	}
	return digests
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
