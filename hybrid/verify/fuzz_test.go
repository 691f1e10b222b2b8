package verify

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// Whatever a Dockerfile holds, the rule answers, answers the same again, and
// never lets a stage pass that comes after it and does not update.
func FuzzDockerfileUpdate(f *testing.F) {
	for _, file := range []string{"good", "bad"} {
		archive, err := txtar.ParseFile("testdata/dockerfile-update/" + file + ".txtar")
		if err != nil {
			f.Fatal(err)
		}
		for _, example := range archive.Files {
			f.Add(string(example.Data))
		}
	}
	f.Fuzz(func(t *testing.T, content string) {
		before, ok := updateFindings(t, content)
		if !ok {
			return
		}
		if again, _ := updateFindings(t, content); !slices.Equal(before, again) {
			t.Fatalf("first %v, then %v", before, again)
		}
		const stale = "\nFROM registry.access.redhat.com/ubi9/fuzz\nLABEL updated=never\n"
		after, ok := updateFindings(t, content+stale)
		if !ok || strings.HasSuffix(content, "\\") || len(after) > 0 && len(after) == len(before) {
			// The end of the content swallowed the stage: a line that goes on,
			// or a heredoc that nothing closes.
			return
		}
		if len(after) != len(before)+1 || !slices.Equal(after[:len(before)], before) {
			t.Fatalf("%v became %v with a stage that does not update", before, after)
		}
	})
}

// updateFindings checks one Dockerfile; ok is false when it does not parse.
func updateFindings(t *testing.T, content string) (findings []Finding, ok bool) {
	t.Helper()
	src := &sources{}
	src.addDockerfile("Dockerfile", []byte(content))
	if len(src.broken) > 0 {
		return nil, false
	}
	p := &pass{ctx: t.Context(), src: src, opts: testOptions(), rule: "dockerfile-update"}
	checkUpdate(p)
	return p.findings, true
}
