//go:build buildkit

package buildkit

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// worker is a program that takes its time over what it writes.
const worker = `package main

import (
	"crypto/sha256"
	"os"
)

func main() {
	sum, _ := os.ReadFile("/input")
	for range 20_000_000 {
		next := sha256.Sum256(sum)
		sum = next[:]
	}
	if err := os.WriteFile("/result", sum, 0o644); err != nil {
		panic(err)
	}
}
`

const dockerfile = `ARG BASE
FROM ${BASE}
COPY input /input
RUN ["/work"]
ENTRYPOINT ["/work"]
`

// The images of this test, which no other has.
const (
	ownBase  = "hybrid.local/base/buildkit-test:base"
	ownImage = "hybrid.local/buildkit-test:image"
)

// TestASecondMachineTakesWhatTheFirstBuilt builds an image on two BuildKits, each new, that
// share nothing but a cache: in a registry, then in a folder. It needs root, buildkitd and
// buildctl.
func TestASecondMachineTakesWhatTheFirstBuilt(t *testing.T) {
	e, err := engine.Detect(t.Context(), command.Exec{}, "")
	if err != nil {
		t.Fatal(err)
	}
	root := repository(t, e)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	for name, cache := range map[string]string{
		"registry": strings.TrimPrefix(server.URL, "http://") + "/e2e/cache",
		"folder":   t.TempDir(),
	} {
		t.Run(name, func(t *testing.T) {
			first, cold := buildOn(t, e, root, cache)
			second, warm := buildOn(t, e, root, cache)
			t.Logf("first machine %s, second %s", cold.Round(time.Millisecond), warm.Round(time.Millisecond))
			if first != second {
				t.Errorf("the second machine has %s, the first %s", second, first)
			}
		})
	}
}

// repository is a folder with a Dockerfile and what it copies; its base is in the engine
// only.
func repository(t *testing.T, e *engine.Engine) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{
		"main.go": worker, "go.mod": "module worker\n\ngo 1.24\n", "Dockerfile": dockerfile, "input": "input",
		"base.Dockerfile": "FROM scratch\nCOPY work /work\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compile := exec.CommandContext(t.Context(), "go", "build", "-o", "work", ".")
	compile.Dir, compile.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var log bytes.Buffer
	if err := e.Build(t.Context(), engine.BuildOptions{Dockerfile: filepath.Join(root, "base.Dockerfile"), Context: root, Tag: ownBase, Log: &log}); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	t.Cleanup(func() { remove(t, e, ownBase) })
	return root
}

// buildOn builds the image on a BuildKit of its own, brings it into the engine, removes it
// there again and returns its identity and the time that the build took. Whoever comes
// second must not run anything.
func buildOn(t *testing.T, e *engine.Engine, root, cache string) (id string, took time.Duration) {
	t.Helper()
	b, err := New(t.Context(), e, daemon(t), cache)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	begin := time.Now()
	err = b.Build(t.Context(), engine.BuildOptions{
		Dockerfile: filepath.Join(root, "Dockerfile"), Context: root, Tag: ownImage, Args: map[string]string{"BASE": ownBase}, Log: &log,
	})
	took = time.Since(begin)
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	defer remove(t, e, ownImage)
	held, err := e.Inspect(t.Context(), ownImage)
	if err != nil {
		t.Fatal(err)
	}
	return held[ownImage].ID, took
}

// daemon starts a BuildKit with a store of its own and returns its address.
func daemon(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	address := "unix://" + filepath.Join(dir, "s")
	d := exec.CommandContext(t.Context(), "buildkitd", "--root", filepath.Join(dir, "root"), "--addr", address, "--containerd-worker=false")
	d.Cancel = func() error { return d.Process.Signal(syscall.SIGTERM) }
	listens := &until{text: "running server on", seen: make(chan struct{})}
	d.Stderr = listens
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.Process.Signal(syscall.SIGTERM) // It may have ended already.
		_ = d.Wait()                          // How it ends when told to is no matter.
	})
	select {
	case <-listens.seen:
	case <-time.After(time.Minute):
		t.Fatal("buildkitd does not start")
	}
	return address
}

// until closes seen as soon as text was written.
type until struct {
	text string
	all  bytes.Buffer
	seen chan struct{}
	done bool
}

func (u *until) Write(p []byte) (int, error) {
	if !u.done {
		u.all.Write(p)
		if u.done = strings.Contains(u.all.String(), u.text); u.done {
			close(u.seen)
		}
	}
	return len(p), nil
}

func remove(t *testing.T, e *engine.Engine, ref string) {
	t.Helper()
	if _, err := e.Run(context.WithoutCancel(t.Context()), nil, "image", "rm", ref); err != nil {
		t.Error(err)
	}
}
