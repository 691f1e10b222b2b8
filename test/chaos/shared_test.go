//go:build chaos

package chaos

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// built bounds a build of the services on an engine that has nothing.
const built = 8 * time.Minute

// TestTwoMachinesShareImages has the engine publish images in a registry, and an engine of
// the test's own, which is empty, build the same repository. The second one makes none of
// them, and after a change of the sources none of their security updates.
func TestTwoMachinesShareImages(t *testing.T) {
	blobs := registry.NewDiskBlobHandler(t.TempDir())
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(blobs)))
	t.Cleanup(server.Close)
	s := newSite(t, t.TempDir())
	env := []string{"REGISTRY=" + strings.TrimPrefix(server.URL, "http://") + "/team", "IMAGE_SOURCE=local", "PRELOAD=0", "CONTAINER_ENGINE=docker"}
	step := func(target string, want string, env ...string) {
		t.Helper()
		began := time.Now()
		r := s.start(t, started{args: []string{target}, env: env})
		if code := r.end(built); code != 0 || !regexp.MustCompile(want).MatchString(r.printed()) {
			t.Fatalf("mage %s: exit code %d, want 0 and %s in\n%s", target, code, want, r.printed())
		}
		done := regexp.MustCompile(`(?m)^.*(image|registry)\.\S+ .*(ok|cached).*$`).FindAllString(r.printed(), -1)
		t.Logf("mage %s took %.1f s\n%s", target, time.Since(began).Seconds(), strings.Join(done, "\n"))
	}
	step("refresh", `registry\.push .* images of epoch`, env...)
	step("refresh", `registry\.push .* has \d+ images of epoch`, env...)

	second := slices.Concat(env, []string{"DOCKER_HOST=" + emptyEngine(t)})
	step("build", `registry\.pull .*7 images, \d+ MB; 7 were missing`, second...)
	for _, name := range []string{"image.chaos-" + s.Token + "-01.log", "image.chaos-" + s.Token + "-02.log"} {
		if log := s.log(name); log != "" {
			t.Errorf("the second machine built an image that it could have had:\n%s", log)
		}
	}
	if err := s.Change(1); err != nil {
		t.Fatal(err)
	}
	step("build", `registry\.pull .*2 images, \d+ MB; 2 were missing`, second...)
	log := s.log("image.chaos-" + s.Token + "-01.log")
	updates := regexp.MustCompile(`(?m)^#(\d+) .*RUN : "security updates of`).FindAllStringSubmatch(log, -1)
	if len(updates) != 2 {
		t.Fatalf("a build has %d updates, want 2:\n%s", len(updates), log)
	}
	for _, step := range updates {
		if !strings.Contains(log, "\n#"+step[1]+" CACHED\n") {
			t.Errorf("the second machine updated a base that it could have had: step %s of\n%s", step[1], log)
		}
	}
}

// log is what a task of the latest run wrote, empty when it wrote nothing.
func (s *site) log(name string) string {
	text, _ := os.ReadFile(filepath.Join(s.Dir, "_artifacts", "latest", "logs", name))
	return string(text)
}

// emptyEngine starts a docker daemon with nothing in it, and gives its address. It has no
// network of its own: builds use that of the machine.
func emptyEngine(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	address := "unix://" + filepath.Join(dir, "docker.sock")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "dockerd", "--host", address, "--bridge=none", "--iptables=false", "--ip6tables=false",
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"))
	out := newOutput()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	for deadline := time.After(time.Minute); ; {
		text, changed := out.look()
		if strings.Contains(text, "API listen on") {
			return address
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the docker daemon is not ready:\n%s", text)
		}
	}
}
