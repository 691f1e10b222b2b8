package registry

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

const (
	one = "hybrid.local/one:aaaa"
	two = "hybrid.local/base/two:bbbb"
)

// server is a registry that counts what it is sent.
type server struct {
	Registry
	blobs atomic.Int64
	// spoil, unless nil, changes what it answers.
	spoil func(w http.ResponseWriter, r *http.Request) bool
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{}
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			s.blobs.Add(1)
		}
		if s.spoil == nil || !s.spoil(w, r) {
			store.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.Close)
	var err error
	if s.Registry, err = Parse(strings.TrimPrefix(h.URL, "http://") + "/team"); err != nil {
		t.Fatal(err)
	}
	return s
}

// pair are two images that share one of two layers each, with the archive that an engine
// saves of them.
func pair(t *testing.T) (images map[string]v1.Image, archive string) {
	t.Helper()
	layers := make([]v1.Layer, 3)
	for i := range layers {
		var err error
		if layers[i], err = random.Layer(1000, "application/vnd.docker.image.rootfs.diff.tar.gzip"); err != nil {
			t.Fatal(err)
		}
	}
	images = map[string]v1.Image{}
	tagged := map[name.Tag]v1.Image{}
	for i, ref := range []string{one, two} {
		img, err := mutate.AppendLayers(empty.Image, layers[0], layers[i+1])
		if err != nil {
			t.Fatal(err)
		}
		tag, err := name.NewTag(ref)
		if err != nil {
			t.Fatal(err)
		}
		images[ref], tagged[tag] = img, img
	}
	var b bytes.Buffer
	if err := tarball.MultiWrite(tagged, &b); err != nil {
		t.Fatal(err)
	}
	return images, b.String()
}

func docker(replies map[string]command.Reply) (*engine.Engine, *command.Recorder) {
	r := &command.Recorder{Replies: replies}
	return &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}, r
}

func id(t *testing.T, img v1.Image) string {
	t.Helper()
	h, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// pushed is a registry with the pair.
func pushed(t *testing.T) (*server, map[string]v1.Image) {
	t.Helper()
	s := serve(t)
	images, archive := pair(t)
	e, _ := docker(map[string]command.Reply{"docker save " + one + " " + two: {Stdout: archive}})
	sent, err := s.Push(t.Context(), e, io.Discard, one, two, one)
	if err != nil || !reflect.DeepEqual(sent, []string{one, two}) {
		t.Fatalf("sent %v, %v", sent, err)
	}
	return s, images
}

func TestPushSendsWhatIsMissingOnce(t *testing.T) {
	s, _ := pushed(t)
	if want := int64(5); s.blobs.Load() != want { // Three layers and two configurations.
		t.Errorf("%d blobs were sent, want %d", s.blobs.Load(), want)
	}
	has, err := s.Has(t.Context(), "hybrid.local/one:gone", two, one)
	if err != nil || !reflect.DeepEqual(has, []string{two, one}) {
		t.Errorf("it has %v, %v", has, err)
	}
	e, r := docker(nil)
	if sent, err := s.Push(t.Context(), e, io.Discard, one, two); err != nil || sent != nil || len(r.Calls()) != 0 {
		t.Errorf("the second time sent %v, %v, asked %v", sent, err, r.Calls())
	}
}

func TestPullBringsTheSameImages(t *testing.T) {
	s, images := pushed(t)
	e, r := docker(map[string]command.Reply{
		"docker load": {},
		"docker image inspect " + one + " " + two: {Stdout: `[{"Id":"` + id(t, images[one]) + `","RepoTags":["` + one + `"]},
			{"Id":"` + id(t, images[two]) + `","RepoTags":["` + two + `"]}]`},
	})
	came, err := s.Pull(t.Context(), e, io.Discard, one, two)
	archive := r.Stdin()[0]
	if err != nil || came != int64(len(archive)) {
		t.Fatalf("%d bytes came, %v; the engine got %d", came, err, len(archive))
	}
	for ref, want := range images {
		tag, err := name.NewTag(ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(archive)), nil }, &tag)
		if err != nil {
			t.Fatal(err)
		}
		if id(t, got) != id(t, want) {
			t.Errorf("%s is %s, want %s", ref, id(t, got), id(t, want))
		}
	}
}

func TestPullRefusesWhatIsNotWhatItSays(t *testing.T) {
	s, _ := pushed(t)
	e, _ := docker(map[string]command.Reply{"docker load": {}, "docker image inspect": {Stdout: `[{"Id":"sha256:other","RepoTags":["` + one + `"]}]`}})
	if _, err := s.Pull(t.Context(), e, io.Discard, one); err == nil || !strings.Contains(err.Error(), `as "sha256:other"`) {
		t.Errorf("the engine holds another image: %v", err)
	}
	s.spoil = func(w http.ResponseWriter, r *http.Request) bool {
		spoilt := r.Method == http.MethodGet && path.Base(path.Dir(r.URL.Path)) == "blobs"
		if spoilt {
			_, _ = w.Write(make([]byte, 10))
		}
		return spoilt
	}
	if _, err := s.Pull(t.Context(), e, io.Discard, one); err == nil {
		t.Error("blobs with other digests passed")
	}
}

func TestARegistryThatFailsIsNamed(t *testing.T) {
	s := serve(t)
	s.spoil = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	if has, err := s.Has(t.Context(), one); err == nil || has != nil || !strings.Contains(err.Error(), "ask "+s.String()) {
		t.Errorf("it has %v, %v", has, err)
	}
}

func TestParse(t *testing.T) {
	for value, want := range map[string]string{
		"registry.example.com": "registry.example.com/one:aaaa", "localhost:5000/a/b/": "localhost:5000/a/b/one:aaaa",
		"10.0.0.1:5000": "10.0.0.1:5000/one:aaaa",
	} {
		r, err := Parse(value)
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if at, err := r.at(one); err != nil || at.Name() != want {
			t.Errorf("%s has it at %s, %v; want %s", value, at, err, want)
		}
	}
	for _, value := range []string{"https://registry.example.com", "team", "registry.example.com/Team", "a b"} {
		if r, err := Parse(value); err == nil || fault.Next(err) == "" {
			t.Errorf("%s passed as %s, %v", value, r, err)
		}
	}
	if _, err := Parse("team"); !errors.Is(err, errNoHost) {
		t.Errorf("error %v", err)
	}
}
