package bundle

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

const (
	one = "hybrid.local/one:aaaa"
	two = "hybrid.local/two:bbbb"
)

// archive writes random images under the references, as docker saves them.
func archive(t *testing.T, refs ...string) string {
	t.Helper()
	images := map[name.Tag]v1.Image{}
	for _, ref := range refs {
		tag, err := name.NewTag(ref)
		if err != nil {
			t.Fatal(err)
		}
		if images[tag], err = random.Image(1000, 2); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "images.tar")
	if err := tarball.MultiWriteToFile(file, images); err != nil {
		t.Fatal(err)
	}
	return file
}

func docker(r *command.Recorder) *engine.Engine {
	return &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}
}

// held is what docker prints about images that it has.
func held(refs ...string) command.Reply {
	text := "["
	for i, ref := range refs {
		if i > 0 {
			text += ","
		}
		text += `{"Id":"sha256:1","RepoTags":["` + ref + `"]}`
	}
	return command.Reply{Stdout: text + "]"}
}

func TestRestoreLoadsWhatIsMissing(t *testing.T) {
	file := archive(t, one, two)
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect " + one + " " + two: held(one),
		"docker load --input " + file:             {},
		"docker image inspect " + two:             held(two),
	}}
	got, err := Restore(t.Context(), docker(r), []string{one, two}, file)
	if err != nil || !reflect.DeepEqual(got, []string{two}) {
		t.Errorf("restored %v, %v", got, err)
	}
}

func TestRestoreLoadsNothingThatIsThere(t *testing.T) {
	file := archive(t, one)
	r := &command.Recorder{Replies: map[string]command.Reply{"docker image inspect " + one + " " + two: held(one)}}
	got, err := Restore(t.Context(), docker(r), []string{one, two}, file)
	if err != nil || got != nil {
		t.Errorf("restored %v, %v", got, err)
	}
	if got, err := Restore(t.Context(), docker(&command.Recorder{}), []string{one}, filepath.Join(t.TempDir(), "none.tar")); err != nil || got != nil {
		t.Errorf("no file: restored %v, %v", got, err)
	}
}

func TestRestoreRefusesForeignImages(t *testing.T) {
	r := &command.Recorder{}
	for _, ref := range []string{"example.com/one:aaaa", "one:aaaa", "hybrid.local.example.com/one:aaaa"} {
		if _, err := Restore(t.Context(), docker(r), []string{one}, archive(t, one, ref)); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: error %v", ref, err)
		}
	}
	if calls := r.Calls(); len(calls) != 0 {
		t.Errorf("the engine was asked %v", calls)
	}
}

func TestRestoreRefusesEveryDamage(t *testing.T) {
	file := archive(t, one)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damages := map[string][]byte{"empty": {}, "text": []byte("no archive"), "half": whole[:len(whole)/2]}
	for _, d := range []struct {
		name, behind string
		distance     int
	}{{"configuration", `"diff_ids":["sha256:`, 3}, {"manifest", `"RepoT`, 1}, {"layer", "\x1f\x8b\x08", 500}} {
		at := bytes.Index(whole, []byte(d.behind))
		if at < 0 {
			t.Fatalf("the archive has no %s", d.name)
		}
		damaged := bytes.Clone(whole)
		damaged[at+len(d.behind)+d.distance] ^= 1
		damages[d.name] = damaged
	}
	r := &command.Recorder{}
	for name, content := range damages {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), docker(r), []string{one}, file); !errors.Is(err, ErrNotWhole) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if calls := r.Calls(); len(calls) != 0 {
		t.Errorf("the engine was asked %v", calls)
	}
}

func TestSaveWritesWhatIsThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cache", "images.tar")
	r := &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect " + two + " " + one: held(two, one),
		"docker save " + one + " " + two:          {Stdout: "archive"},
	}}
	got, err := Save(t.Context(), docker(r), []string{two, one}, file)
	if err != nil || !reflect.DeepEqual(got, []string{one, two}) {
		t.Errorf("saved %v, %v", got, err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "archive" {
		t.Errorf("the file has %q, %v", text, err)
	}
	r = &command.Recorder{Replies: map[string]command.Reply{"docker image inspect " + one: {Stdout: "[]"}}}
	if got, err := Save(t.Context(), docker(r), []string{one}, file); err != nil || got != nil {
		t.Errorf("nothing there: saved %v, %v", got, err)
	}
	r = &command.Recorder{Replies: map[string]command.Reply{
		"docker image inspect " + one: held(one), "docker save " + one: {Err: errors.New("no room")},
	}}
	if _, err := Save(t.Context(), docker(r), []string{one}, file); err == nil {
		t.Error("a failed save is no error")
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}
