package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/pkg/doctest"
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

func TestThePageHasTheFlags(t *testing.T) {
	var usage strings.Builder
	if err := run(t.Context(), []string{"-h"}, &usage); err == nil {
		t.Fatal("help is no run")
	}
	page, err := doctest.Read("../../docs/signalprocessing.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	for _, table := range page.Tables {
		for _, flag := range table.Column("Flag") {
			flags++
			if !strings.Contains(usage.String(), "\n  "+flag) {
				t.Errorf("there is no flag %s:\n%s", flag, usage.String())
			}
		}
	}
	if want := strings.Count(usage.String(), "\n  -"); flags != want {
		t.Errorf("the page has %d flags, the command %d", flags, want)
	}
}
