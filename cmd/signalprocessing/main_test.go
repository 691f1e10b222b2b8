package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunExplainsWhyItDoesNotStart(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "missing"))
	for _, test := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"--nonsense"}, "flag provided but not defined: -nonsense"},
		{nil, "no Kubernetes cluster is configured"},
	} {
		if err := run(t.Context(), test.arguments, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want it to contain %q", test.arguments, err, test.want)
		}
	}
}
