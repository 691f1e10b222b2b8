package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunExplainsWhyItDoesNotStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("log:\n  colour: red\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"--nonsense"}, "flag provided but not defined: -nonsense"},
		{[]string{"--config", path}, "line 2: field colour not found"},
		{[]string{"--config", path + ".missing"}, "read the configuration: open"},
		{nil, "audit.data_storage_url"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(test.arguments, &stdout, &stderr); code != exitUsage {
			t.Errorf("%q: code %d", test.arguments, code)
		}
		if !strings.Contains(stderr.String(), test.want) || stdout.Len() != 0 {
			t.Errorf("%q: %s", test.arguments, stderr.String())
		}
	}
}

func TestRunNeedsACluster(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "missing"))
	t.Setenv("GATEWAY_DATASTORAGE_URL", "http://datastorage:8080")
	var stdout, stderr bytes.Buffer
	if code := run(nil, &stdout, &stderr); code != exitFailure {
		t.Errorf("code %d", code)
	}
	if !strings.Contains(stdout.String(), "no Kubernetes cluster is configured") {
		t.Errorf("logged %s", stdout.String())
	}
}
