package speed

import (
	"archive/tar"
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSlowMirrorLetsOnlyTheMetadataWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		ask := func(ctx context.Context, path string) (time.Duration, int) {
			w, began := httptest.NewRecorder(), time.Now()
			slow(files, time.Minute).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody))
			return time.Since(began), w.Code
		}
		if took, code := ask(t.Context(), metadata); took != time.Minute || code != http.StatusTeapot {
			t.Errorf("metadata after %s with %d", took, code)
		}
		if took, code := ask(t.Context(), "/some.rpm"); took != 0 || code != http.StatusTeapot {
			t.Errorf("a package after %s with %d", took, code)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if took, _ := ask(impatient, metadata); took != time.Second {
			t.Errorf("whoever gives up waits for %s", took)
		}
	})
}

func TestSlowBaseIsMorePatientThanTheMirrorIsSlow(t *testing.T) {
	want := "FROM ubi\nUSER root\nRUN sed -i 's|^baseurl=.*|baseurl=http://127.0.0.1:80\\ntimeout=90|' /etc/yum.repos.d/stand-in.repo\n"
	if got := slowBase("ubi", "127.0.0.1:80", time.Minute); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMirrorDelay(t *testing.T) {
	for text, want := range map[string]time.Duration{"": time.Minute, "0s": 0, "5s": 5 * time.Second} {
		if got, err := mirrorDelay(func(string) string { return text }); err != nil || got != want {
			t.Errorf("%q gives %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"-1s", "1h", "soon"} {
		if _, err := mirrorDelay(func(string) string { return text }); err == nil || !strings.Contains(err.Error(), "from 0s to 10m0s") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestUnpackKeepsFilesBelowTheFolder(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, content := range map[string]string{
		"repository/": "", "repository/repodata/repomd.xml": "list", "repository/../../outside": "evil",
	} {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o644}
		if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	dir := filepath.Join(parent, "mirror")
	if err := unpack(&archive, dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, metadata))
	if err != nil || string(got) != "list" {
		t.Errorf("metadata %q, %v", got, err)
	}
	if found, err := filepath.Glob(filepath.Join(parent, "*")); err != nil || len(found) != 1 {
		t.Errorf("files beside the folder: %v, %v", found, err)
	}
}
