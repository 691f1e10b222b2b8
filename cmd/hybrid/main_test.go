package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/verify"
)

// repository is a folder with one Go file.
func repository(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module example.org/shop\n", "shop.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const sleeps = "package shop\n\nimport \"time\"\n\nfunc wait() { time.Sleep(1) }\n"

func TestExitCodes(t *testing.T) {
	good, bad, empty := repository(t, "package shop\n"), repository(t, sleeps), t.TempDir()
	finding := "shop.go:5: [no-sleep] time.Sleep instead of waiting for what should happen (a sleep is too short on a slow machine and wasted time on a fast one)\n"
	for name, c := range map[string]struct {
		args      []string
		code      int
		out, errs string
	}{
		"holds":       {[]string{"verify", good}, 0, "not checked: dockerfile-update", ""},
		"does not":    {[]string{"verify", bad}, exitFindings, finding, ""},
		"no command":  {nil, exitUsage, "", "Usage: hybrid verify"},
		"another one": {[]string{"deploy"}, exitUsage, "", "Usage: hybrid verify"},
		"two folders": {[]string{"verify", good, bad}, exitUsage, "", "one folder, not 2: "},
		"a bad flag":  {[]string{"verify", "-yaml"}, exitUsage, "", "flag provided but not defined: -yaml"},
		"help":        {[]string{"verify", "-h"}, 0, "", "Usage: hybrid verify"},
		"no module":   {[]string{"verify", empty}, exitEnvironment, "", "verify " + empty + ": open go.mod"},
		"no folder":   {[]string{"verify", filepath.Join(empty, "none")}, exitEnvironment, "", "no such file"},
		"unwritable":  {[]string{"verify", "-sarif", filepath.Join(empty, "none", "a"), good}, exitEnvironment, "", "no such file"},
	} {
		var out, errs strings.Builder
		code := run(t.Context(), c.args, &out, &errs)
		if code != c.code || !strings.HasPrefix(out.String(), c.out) || !strings.Contains(errs.String(), c.errs) || (errs.Len() > 0) != (c.errs != "") {
			t.Errorf("%s: %d, want %d; printed\n%s%s", name, code, c.code, &out, &errs)
		}
	}
}

func TestForPrograms(t *testing.T) {
	bad, sarif := repository(t, sleeps), filepath.Join(t.TempDir(), "findings.sarif")
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"verify", "-json", "-sarif", sarif, bad}, &out, &errs); code != exitFindings || errs.Len() > 0 {
		t.Fatalf("%d, %s", code, &errs)
	}
	var result verify.Result
	if err := json.Unmarshal([]byte(out.String()), &result); err != nil {
		t.Fatal(err)
	}
	want := verify.Finding{Rule: "no-sleep", File: "shop.go", Line: 5, Message: "time.Sleep instead of waiting for what should happen"}
	if len(result.Findings) != 1 || result.Findings[0] != want || len(result.NotChecked) == 0 {
		t.Errorf("%+v", result)
	}
	content, err := os.ReadFile(sarif)
	if err != nil || !strings.Contains(string(content), `"ruleId": "no-sleep"`) {
		t.Errorf("%s, %v", content, err)
	}
}
