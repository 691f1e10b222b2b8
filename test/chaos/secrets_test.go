//go:build chaos

package chaos

import (
	"encoding/base64"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid"
)

// TestSecretsAreHidden has a service that prints its password and crashes. Who reads the
// output or the artifacts learns that it did, and not the password.
func TestSecretsAreHidden(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "secrets"))
	suite := s.Suite()
	suite.Secrets = []hybrid.Secret{{Name: "auth", Random: []string{"word"}}}
	s.declare(t, suite)
	s.edit(t, dockerfile, entrypoint, `ENTRYPOINT ["/bin/sh", "-c", "echo we say $SAID; exit 9"]`)
	s.edit(t, manifest, "imagePullPolicy: Never\n", `imagePullPolicy: Never
          env:
            - name: SAID
              valueFrom:
                secretKeyRef:
                  name: auth
                  key: word
`)
	before := snapshot(t)
	r := s.start(t, plain(t, s))
	r.await("==> deploy")
	encoded, err := exec.CommandContext(t.Context(), "docker", "exec", nodeOf(t, s.Dir), "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf",
		"--namespace="+suite.Namespace, "get", "secret", "auth", "--output=jsonpath={.data.word}").Output()
	if err != nil || len(encoded) < 32 {
		t.Fatalf("the secret is %q, %v", encoded, err)
	}
	word, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil {
		t.Fatal(err)
	}
	if code := r.end(reachable); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	texts := map[string]string{"the output": r.printed()}
	dir := filepath.Join(s.Dir, "_artifacts")
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		texts[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for name, text := range texts {
		if strings.Contains(text, string(word)) || strings.Contains(text, string(encoded)) {
			t.Errorf("%s has the password", name)
		}
		if strings.Contains(text, "we say (masked)") {
			told++
		}
	}
	if !strings.Contains(texts["the output"], "we say (masked)") || told < 3 { // A log and the summary have it, too.
		t.Errorf("%d of %d texts tell what was printed", told, len(texts))
	}
	r.leavesNothing(before)
	note(row{fault: "a password in a log", place: "deploy", exit: 3, told: "we say (masked)", left: "nothing"})
}
