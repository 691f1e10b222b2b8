package offline

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// repo is the repository, seen from this package.
const repo = "../.."

// The references stand in Dockerfiles as well, so that a plain docker build
// works; both must be the same.
func TestDockerfilesHaveThePinnedDefaults(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(repo, "docker", "*.Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, p := range pinned() {
		if p.arg != "" {
			want[p.arg] = p.ref
		}
		if !strings.Contains(p.ref, "@sha256:") {
			t.Errorf("%s is not pinned by digest: %s", p.name, p.ref)
		}
	}
	found := map[string]bool{}
	argument := regexp.MustCompile(`(?m)^ARG (\w+_IMAGE)=(\S+)$`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range argument.FindAllStringSubmatch(string(b), -1) {
			found[m[1]] = true
			if m[2] != want[m[1]] {
				t.Errorf("%s: %s=%s, want %s", file, m[1], m[2], want[m[1]])
			}
		}
	}
	for arg := range want {
		if !found[arg] {
			t.Errorf("no Dockerfile declares %s", arg)
		}
	}
}

// Versions that stand in two places, each of which needs its own form.
func TestVersionsAgree(t *testing.T) {
	for _, c := range []struct{ file, line string }{
		{"go.mod", "\tsigs.k8s.io/kind " + KindVersion + "\n"},
		{"docker/node/kubernetes/go.mod", "\nrequire k8s.io/kubernetes " + KubernetesVersion + "\n"},
		{"docker/node/files/etc/containerd/config.toml", `sandbox_image = "` + sandboxImage + `"`},
		{"docker/node/files/kind/manifests/default-cni.yaml", "image: " + networkImage + "\n"},
	} {
		b, err := os.ReadFile(filepath.Join(repo, filepath.FromSlash(c.file)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), c.line) {
			t.Errorf("%s does not have %q", c.file, c.line)
		}
	}
}

func TestVersionFlags(t *testing.T) {
	got := versionFlags("v1.37.2")
	want := "-X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 " +
		"-X k8s.io/component-base/version.gitMinor=37 -X k8s.io/component-base/version.gitTreeState=clean " +
		"-X k8s.io/component-base/version.gitCommit=" + strings.Repeat("0", 40) + " "
	if !strings.HasPrefix(got, want) || got != want+strings.TrimSpace(strings.ReplaceAll(want, "component-base", "client-go/pkg")) {
		t.Errorf("flags %s", got)
	}
}
