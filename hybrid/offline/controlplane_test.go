package offline

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
)

func TestControlPlaneComesOutOfTheNodeImage(t *testing.T) {
	m, recorder := testMaker(t, nil)
	show := "docker run --rm --network none --entrypoint /bin/cat " + m.node.ref + " /usr/bin/kubernetes"
	recorder.Replies = map[string]command.Reply{
		"docker image inspect": {Stdout: `[{"Id":"sha256:1","RepoTags":["` + m.node.ref + `"]}]`},
		show:                   {Stdout: "the program"},
	}
	cache := t.TempDir()
	folder, err := m.controlPlane(t.Context(), cache)
	if err != nil || folder != filepath.Join(cache, m.node.ref[strings.LastIndex(m.node.ref, ":")+1:]) {
		t.Fatalf("got %s, %v", folder, err)
	}
	for _, name := range []string{"kube-apiserver", "etcd", "kubectl"} {
		path := filepath.Join(folder, name)
		content, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(content) != "the program" || info.Mode().Perm()&0o100 == 0 {
			t.Errorf("%s: %q, %v, %v", name, content, err, statErr)
		}
	}
	if again, err := m.controlPlane(t.Context(), cache); err != nil || again != folder {
		t.Errorf("again: %s, %v", again, err)
	}
	inspect := "docker image inspect " + m.node.ref
	if want := []string{inspect, show, inspect}; !slices.Equal(recorder.Calls(), want) {
		t.Errorf("ran %q, want %q", recorder.Calls(), want)
	}
	checkEntries(t, cache, filepath.Base(folder))
}

func TestControlPlaneLeavesNothingHalf(t *testing.T) {
	m, recorder := testMaker(t, map[string]command.Reply{"docker image inspect": {Stdout: "[]"}})
	cache := t.TempDir()
	if folder, err := m.controlPlane(t.Context(), cache); !errors.Is(err, ErrNoNodeImage) || folder != "" {
		t.Errorf("without an image: %q, %v", folder, err)
	}
	recorder.Replies = map[string]command.Reply{
		"docker image inspect": {Stdout: `[{"RepoTags":["` + m.node.ref + `"]}]`},
		"docker run":           {Err: errors.New("no space left")},
	}
	if _, err := m.controlPlane(t.Context(), cache); err == nil || errors.Is(err, ErrNoNodeImage) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("without space: %v", err)
	}
	checkEntries(t, cache)
}

func checkEntries(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the folder has %q, want %q", got, want)
	}
}
