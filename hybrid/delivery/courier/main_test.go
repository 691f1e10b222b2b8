package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/delivery"
)

func TestDeliversWhenItIsToldToEnd(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	ctx, end := context.WithCancel(t.Context())
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- deliver(ctx, []string{from}, &out) }()
	// What the service writes at its end, long after the courier's beginning.
	if err := os.WriteFile(filepath.Join(from, "covmeta.1"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	end()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if names, err := delivery.Receive(&out, to, io.Discard); err != nil || !slices.Equal(names, []string{"covmeta.1"}) {
		t.Errorf("received %q, %v", names, err)
	}
}

func TestWantsOneFolder(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	end()
	for _, args := range [][]string{nil, {"a", "b"}, {filepath.Join(t.TempDir(), "absent")}} {
		if err := deliver(ctx, args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q passed", args)
		}
	}
}
