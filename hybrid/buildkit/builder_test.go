package buildkit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

const base = "hybrid.local/base/ubi:0123456789abcdef"

// builderRunner answers as docker and as buildctl, which writes what it is asked for.
type builderRunner struct {
	command.Recorder
	// base is the archive that docker saves; metadata what buildctl tells.
	base, metadata string
	// seen is the digest in the layout that buildctl was given.
	seen string
}

func (r *builderRunner) Run(ctx context.Context, c command.Command) ([]byte, error) {
	for i, arg := range c.Args[:len(c.Args)-1] {
		next := c.Args[i+1]
		switch arg {
		case "--metadata-file":
			if err := os.WriteFile(next, []byte(r.metadata), 0o600); err != nil {
				return nil, err
			}
		case "--oci-layout":
			_, folder, _ := strings.Cut(next, "=")
			index, err := layout.ImageIndexFromPath(folder)
			if err != nil {
				return nil, err
			}
			manifest, err := index.IndexManifest()
			if err != nil {
				return nil, err
			}
			r.seen = manifest.Manifests[0].Digest.String()
		case "save":
			content, err := os.ReadFile(r.base)
			if err != nil {
				return nil, err
			}
			if _, err := c.Stdout.Write(content); err != nil {
				return nil, err
			}
		}
	}
	return r.Recorder.Run(ctx, c)
}

func found(string) (string, error) { return "/bin/buildctl", nil }

// start is a builder before its first build.
func start(t *testing.T, r *builderRunner, cache string) *Builder {
	t.Helper()
	b, err := newBuilder(t.Context(), &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}, "tcp://b:1", cache, found)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func answers(id string) *builderRunner {
	return &builderRunner{
		metadata: `{"containerimage.config.digest":"sha256:cc","containerimage.digest":"sha256:dd"}`,
		Recorder: command.Recorder{Replies: map[string]command.Reply{
			"/bin/buildctl":        {},
			"docker load":          {},
			"docker save":          {},
			"docker image inspect": {Stdout: `[{"Id":"` + id + `","RepoTags":["hybrid.local/a:1"]}]`},
		}},
	}
}

func TestBuildAsksAsTheEngineDoes(t *testing.T) {
	r := answers("sha256:cc")
	b := start(t, r, "registry.test:5000/e2e/cache")
	err := b.Build(t.Context(), engine.BuildOptions{
		Dockerfile: "/r/docker/a.Dockerfile", Context: "/r", Tag: "hybrid.local/a:1", Network: "host", Platform: "linux/amd64", Target: "t",
		Args: map[string]string{"B": "2", "A": "1"}, Labels: map[string]string{"l": "v"},
	})
	if err != nil {
		t.Fatal(err)
	}
	calls := r.Calls()
	if len(calls) != 4 {
		t.Fatalf("calls %q", calls)
	}
	_, work, _ := strings.Cut(calls[2], "--input ")
	work = filepath.Dir(work)
	want := []string{
		"/bin/buildctl --addr tcp://b:1 debug workers",
		"/bin/buildctl --addr tcp://b:1 build --progress plain --frontend dockerfile.v0" +
			" --local context=/r --local dockerfile=/r/docker --opt filename=a.Dockerfile" +
			" --opt force-network-mode=host --opt platform=linux/amd64 --opt target=t --allow network.host" +
			" --opt build-arg:A=1 --opt build-arg:B=2 --opt label:l=v" +
			" --import-cache type=registry,ref=registry.test:5000/e2e/cache:a" +
			" --export-cache type=registry,ref=registry.test:5000/e2e/cache:a,mode=max,ignore-error=true" +
			" --output type=docker,name=hybrid.local/a:1,dest=" + work + "/image.tar --metadata-file " + work + "/metadata.json",
		"docker load --input " + work + "/image.tar",
		"docker image inspect hybrid.local/a:1",
	}
	if !slices.Equal(calls, want) {
		t.Errorf("calls\n%s\nwant\n%s", strings.Join(calls, "\n"), strings.Join(want, "\n"))
	}
	if _, err := os.Stat(work); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left behind: %v", work, err)
	}
}

func TestBasesOfTheEngineGoAlong(t *testing.T) {
	img, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(base)
	if err != nil {
		t.Fatal(err)
	}
	r := answers("sha256:dd")
	r.base = filepath.Join(t.TempDir(), "base.tar")
	if err := tarball.WriteToFile(r.base, tag, img); err != nil {
		t.Fatal(err)
	}
	err = start(t, r, "").Build(t.Context(), engine.BuildOptions{
		Dockerfile: "/r/a.Dockerfile", Context: "/r", Tag: "hybrid.local/a:1",
		Args: map[string]string{"UBI": base, "SAME": base, "OTHER": "registry.test/x:1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Calls()[1], "docker save "+base; got != want {
		t.Errorf("call %q, want %q", got, want)
	}
	if want := " --opt context:" + base + "=oci-layout://base-0@" + r.seen + " "; r.seen == "" || strings.Count(r.Calls()[2], want) != 1 {
		t.Errorf("call\n%s\nwant once\n%s", r.Calls()[2], want)
	}
}

func TestCacheInAFolder(t *testing.T) {
	b := &Builder{cache: "/var/cache/e2e"}
	want := []string{
		"--import-cache", "type=local,src=/var/cache/e2e/base-ubi",
		"--export-cache", "type=local,dest=/var/cache/e2e/base-ubi,mode=max,ignore-error=true",
	}
	if got := b.caching(base); !slices.Equal(got, want) {
		t.Errorf("caching %q, want %q", got, want)
	}
}

func TestAnotherImageInTheEngineIsAnError(t *testing.T) {
	err := start(t, answers("sha256:ee"), "").Build(t.Context(), engine.BuildOptions{Dockerfile: "/r/a", Context: "/r", Tag: "hybrid.local/a:1"})
	if want := `the engine has hybrid.local/a:1 as "sha256:ee", BuildKit built sha256:cc`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestWhatIsMissingIsSaidBeforeAnyBuild(t *testing.T) {
	down := command.Reply{Err: errors.New("connection refused")}
	for _, c := range []struct {
		name, cache, want, next string
		find                    func(string) (string, error)
	}{
		{
			"client", "", "BUILDKIT_HOST=tcp://b:1 needs BuildKit's client: no such program",
			"put buildctl of https://github.com/moby/buildkit/releases on PATH, or unset BUILDKIT_HOST to build with docker",
			func(string) (string, error) { return "", errors.New("no such program") },
		},
		{
			"answer", "", "the BuildKit of BUILDKIT_HOST does not answer: /bin/buildctl --addr tcp://b:1 debug workers: connection refused",
			"start it, or unset BUILDKIT_HOST to build with docker", found,
		},
		{
			"cache", "A B", `BUILDKIT_CACHE="A B": `,
			"set BUILDKIT_CACHE to a repository such as registry.example.com/e2e/cache, or to the absolute path of a folder", found,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &command.Recorder{Replies: map[string]command.Reply{"/bin/buildctl": down}}
			_, err := newBuilder(t.Context(), &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}, "tcp://b:1", c.cache, c.find)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || fault.Next(err) != c.next {
				t.Errorf("error %v, next %q\nwant  %s, next %q", err, fault.Next(err), c.want, c.next)
			}
		})
	}
}
