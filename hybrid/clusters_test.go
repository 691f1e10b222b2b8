package hybrid

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// leave puts the record of a cluster into the checkout that a killed run made.
func leave(t *testing.T, root, suite string) {
	t.Helper()
	folder := filepath.Join(root, cluster.StateFolder, suite)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "cluster.json"), `{"config":{"name":"`+suite+`-e2e-1"},"engine":"docker","started":"2026-11-23T11:00:00Z",
		"nodes":[{"name":"n","id":"1"}]}`)
}

// anEngineWith is an engine that is there and has these containers.
func anEngineWith(replies map[string]command.Reply) *command.Recorder {
	r := anEngine()
	// The client's path depends on the machine, so that only what it is called for is
	// left of its argument list.
	for _, cli := range []string{"/usr/local/bin/docker", "/usr/bin/docker", "/bin/docker"} {
		for args, reply := range replies {
			r.Replies[cli+" "+args] = reply
		}
	}
	return r
}

func TestPreflightReapsWhatAnySuiteLeft(t *testing.T) {
	root, suite := repository(t)
	leave(t, root, "other")
	r := anEngineWith(map[string]command.Reply{"ps --all": {}})
	var out bytes.Buffer
	p, err := Open(t.Context(), suite, options(root, &out, r))
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if err := p.Close(t.Context(), nil); err != nil {
		t.Error(err)
	}
	want := "ok: deleted other-e2e-1: left by a run that is gone; clusters are known in their own checkout only: neither XDG_STATE_HOME nor HOME names a folder for leases"
	if !strings.Contains(out.String(), want) {
		t.Errorf("output lacks %q:\n%s", want, out.String())
	}
	if _, err := os.Stat(filepath.Join(root, cluster.StateFolder, "other", "cluster.json")); !os.IsNotExist(err) {
		t.Errorf("the record is still there: %v", err)
	}
}

func TestDownRefusesWhileARunIsAtWork(t *testing.T) {
	root, suite := repository(t)
	var out bytes.Buffer
	o := options(root, &out, anEngine())
	p, err := Open(t.Context(), suite, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	_, _, err = Down(t.Context(), o, true)
	if !errors.Is(err, cluster.ErrBusy) || !strings.Contains(fault.Next(err), "mage status shows its process") {
		t.Errorf("error %v, next %q", err, fault.Next(err))
	}
	p.Release()
	defer func() {
		if err := p.Close(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}()
	done, remark, err := Down(t.Context(), o, true)
	if len(done) != 0 || err != nil || !strings.HasPrefix(remark, "clusters are known in their own checkout only") {
		t.Errorf("%v, %q, %v", done, remark, err)
	}
}
