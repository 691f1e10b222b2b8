package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/delivery"
)

// job is a folder like the Secret of a Job, whose index 1 runs a shell script as ginkgo.
func job(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "ginkgo")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nout=${1#--output-dir=}\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "1.args"), []byte(program+"\n--focus=a b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func index(value string) func(string) string {
	return func(name string) string { return map[string]string{"JOB_COMPLETION_INDEX": value}[name] }
}

func TestTheReportsAndTheExitCodeAreDelivered(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := job(t, `echo "$2 $HYBRID_ENVIRONMENT"; echo '[]' > "$out/specs.json"; exit 7`)
	var log, rest bytes.Buffer
	if err := run(t.Context(), []string{dir}, index("1"), &log); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if _, err := delivery.Receive(&log, to, &rest); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range []string{"specs.json", "exit"} {
		b, err := os.ReadFile(filepath.Join(to, name))
		got[name] = string(b)
		if err != nil {
			t.Error(err)
		}
	}
	if want := map[string]string{"specs.json": "[]\n", "exit": "7"}; !reflect.DeepEqual(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
	if want := "--focus=a b " + dir + "/1.environment.json\n"; rest.String() != want {
		t.Errorf("printed %q, want %q", rest.String(), want)
	}
}

func TestWhatIsNoJobIsRefused(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := job(t, "exit 0")
	for _, c := range []struct {
		args  []string
		index string
		want  string
	}{
		{nil, "1", "want one folder"},
		{[]string{dir}, "", `JOB_COMPLETION_INDEX="" is no number`},
		{[]string{dir}, "2", "2.args: no such file"},
	} {
		if err := run(t.Context(), c.args, index(c.index), io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "ginkgo")); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{dir}, index("1"), io.Discard); err == nil {
		t.Error("a program that is not there was run")
	}
}
