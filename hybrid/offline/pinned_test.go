package offline

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
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

// kubeadm compares what the components report, and each takes its version from two
// packages.
func TestProgramsReportTheVersion(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(repo, filepath.FromSlash(programsFile)))
	if err != nil {
		t.Fatal(err)
	}
	major, rest, _ := strings.Cut(strings.TrimPrefix(KubernetesVersion, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, flag := range []string{".gitVersion=" + KubernetesVersion, ".gitMajor=" + major, ".gitMinor=" + minor} {
			if !strings.Contains(string(b), "-X "+pkg+flag+" ") {
				t.Errorf("the compiler is not told -X %s%s", pkg, flag)
			}
		}
	}
}

// Modules that the services and other programs both use are compiled once only where
// both have the same version.
func TestAllProgramsShareTheVersionsOfTheServices(t *testing.T) {
	versions := func(file string) map[string]string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(repo, file))
		if err != nil {
			t.Fatal(err)
		}
		f, err := modfile.Parse(file, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, r := range f.Require {
			found[r.Mod.Path] = r.Mod.Version
		}
		for _, r := range f.Replace {
			found[r.Old.Path] = r.New.Version
		}
		return found
	}
	own := versions("go.mod")
	for folder, atLeast := range map[string]int{nodeFolder + "/kubernetes": 50, nodeFolder + "/containerd": 20, "docker/alertmanager": 40} {
		shared := 0
		for path, version := range versions(folder + "/go.mod") {
			switch own[path] {
			case "":
			case version:
				shared++
			default:
				t.Errorf("%s is %s in %s and %s for the services: go get %[1]s@%[4]s there", path, version, folder, own[path])
			}
		}
		if shared < atLeast {
			t.Errorf("%s shares only %d modules", folder, shared)
		}
	}
}
