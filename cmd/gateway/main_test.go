package main

import (
	"io"
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
		if err := run(t.Context(), test.arguments, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.arguments, err)
		}
	}
}

func TestRunNeedsACluster(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "missing"))
	t.Setenv("GATEWAY_DATASTORAGE_URL", "http://datastorage:8080")
	if err := run(t.Context(), nil, io.Discard); err == nil || !strings.Contains(err.Error(), "no Kubernetes cluster is configured") {
		t.Errorf("error %v", err)
	}
}
