package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/process"
)

func TestNothingToDo(t *testing.T) {
	u := newUser(t)
	if done, err := u.inventory("a").Reap(t.Context(), t.Output()); len(done) != 0 || err != nil {
		t.Errorf("reaped %v, %v", done, err)
	}
	if done, err := u.inventory("a").Down(t.Context(), true, t.Output()); len(done) != 0 || err != nil {
		t.Errorf("deleted %v, %v", done, err)
	}
	if list, err := u.inventory("a").Status(t.Context()); len(list) != 0 || list == nil || err != nil {
		t.Errorf("status %v, %v", list, err)
	}
	if calls := u.docker.Calls(); len(calls) != 0 {
		t.Errorf("calls %q", calls)
	}
}

func TestDownDeletesTheClustersOfItsCheckoutOnly(t *testing.T) {
	u := newUser(t)
	kept := u.record("a", "gateway", nil)
	orphan := u.record("a", "datastorage", func(r *Record) { r.Keep = false })
	other := u.record("b", "gateway", func(r *Record) { r.Keep = false })
	done, err := u.inventory("a").Down(t.Context(), false, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes", say(done), []string{
		"datastorage-e2e-a true left by a run that is gone", "gateway-e2e-a true kept, and expires in 1h00m",
	})
	list := func(name string) []string {
		return []string{
			"docker ps --all --quiet --no-trunc --filter label=io.x-k8s.kind.cluster=" + name, "docker container inspect " + name + "-1",
			"docker rm --force --volumes " + name + "-1",
		}
	}
	same(t, "calls", u.docker.Calls(), slices.Concat(list("datastorage-e2e-a"), list("gateway-e2e-a")))
	same(t, "files of the kept one", u.left(kept), nil)
	same(t, "files of the orphan", u.left(orphan), nil)
	same(t, "files of the other checkout", u.left(other), []string{"kubeconfig", recordFile, "gateway-e2e-b.json"})
}

func TestDownAllTakesWhatNobodyHasAClaimTo(t *testing.T) {
	u := newUser(t)
	u.record("a", "gateway", nil)
	u.record("b", "gateway", nil)
	u.record("c", "gateway", func(r *Record) { r.Expires = noon.Add(-time.Hour) })
	u.record("d", "gateway", func(r *Record) { r.Keep = false })
	u.record("e", "gateway", func(r *Record) { r.Owner = process.Self() })
	u.record("f", "gateway", func(r *Record) { r.Keep, r.Owner = false, elsewhere() })
	u.record("g", "gateway", func(r *Record) { r.Expires = noon.Add(-time.Hour) })
	u.record("h", "gateway", func(r *Record) { r.Keep, r.Owner = false, reused() })
	gone := u.record("i", "gateway", func(r *Record) { r.Expires = noon.Add(-time.Hour) })
	goneKept := u.record("j", "gateway", nil)
	for _, r := range []Record{gone, goneKept} {
		if err := os.RemoveAll(r.Checkout); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := Lock(filepath.Join(u.home, "g"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	done, err := u.inventory("a").Down(t.Context(), true, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes", say(done), []string{
		"gateway-e2e-a true kept, and expires in 1h00m",
		"gateway-e2e-b false kept, and expires in 1h00m",
		"gateway-e2e-c true kept, and expired 1h00m ago",
		"gateway-e2e-d true left by a run that is gone",
		fmt.Sprintf("gateway-e2e-e false in use by process %d", os.Getpid()),
		"gateway-e2e-f false of a run on another that cannot be seen from here",
		"gateway-e2e-g false a run is at work in its checkout",
		"gateway-e2e-h true left by a run that is gone",
		"gateway-e2e-i true kept, and expired 1h00m ago",
		"gateway-e2e-j false kept, and expires in 1h00m",
	})
	same(t, "removed", u.removed(), []string{"gateway-e2e-a-1", "gateway-e2e-c-1", "gateway-e2e-d-1", "gateway-e2e-h-1", "gateway-e2e-i-1"})
	rest, err := u.leases.list()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range rest {
		names = append(names, l.Config.Name)
	}
	same(t, "leases", names, []string{"gateway-e2e-b", "gateway-e2e-e", "gateway-e2e-f", "gateway-e2e-g", "gateway-e2e-j"})
}

func TestReapTakesOrphansAndTheExpiredOfItsCheckout(t *testing.T) {
	u := newUser(t)
	u.record("a", "kept", nil)
	u.record("a", "expired", func(r *Record) { r.Expires = noon.Add(-time.Minute) })
	u.record("a", "killed", func(r *Record) { r.Ready = false })
	u.record("b", "killed", func(r *Record) { r.Ready = false })
	done, err := u.inventory("a").Reap(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes", say(done), []string{"expired-e2e-a true kept, and expired 1m ago", "killed-e2e-a true left by a run that is gone"})
	same(t, "removed", u.removed(), []string{"expired-e2e-a-1", "killed-e2e-a-1"})
}

// TestACleanedCheckoutStillHasItsCluster removes the state folder, as git clean does.
func TestACleanedCheckoutStillHasItsCluster(t *testing.T) {
	u := newUser(t)
	r := u.record("a", "gateway", nil)
	if err := os.RemoveAll(filepath.Join(r.Checkout, StateFolder)); err != nil {
		t.Fatal(err)
	}
	v := u.inventory("a")
	if found, err := v.find(r.Config.Name, r.State); err != nil || found == nil || found.Nodes[0].ID != "gateway-e2e-a-1" {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := v.Down(t.Context(), false, t.Output()); err != nil {
		t.Fatal(err)
	}
	same(t, "removed", u.removed(), []string{"gateway-e2e-a-1"})
	same(t, "files", u.left(r), nil)
}

// TestACopiedCheckoutDoesNotDeleteTheClusterOfTheOriginal copies the state folder, as
// cp -r does; then the original goes away, as with mv.
func TestACopiedCheckoutDoesNotDeleteTheClusterOfTheOriginal(t *testing.T) {
	u := newUser(t)
	r := u.record("a", "gateway", nil)
	if err := os.CopyFS(filepath.Join(u.home, "copy"), os.DirFS(r.Checkout)); err != nil {
		t.Fatal(err)
	}
	done, err := u.inventory("copy").Down(t.Context(), false, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes in the copy", say(done), nil)
	if err := os.RemoveAll(r.Checkout); err != nil {
		t.Fatal(err)
	}
	if done, err = u.inventory("copy").Down(t.Context(), false, t.Output()); err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes in the new place", say(done), []string{"gateway-e2e-a true kept, and expires in 1h00m"})
	same(t, "removed", u.removed(), []string{"gateway-e2e-a-1"})
	same(t, "files", u.left(r), nil)
}

// TestALinkToTheCheckoutIsTheCheckout reaches one checkout by two paths.
func TestALinkToTheCheckoutIsTheCheckout(t *testing.T) {
	u := newUser(t)
	r := u.record("a", "gateway", nil)
	if err := os.Symlink(r.Checkout, filepath.Join(u.home, "link")); err != nil {
		t.Fatal(err)
	}
	done, err := u.inventory("link").Down(t.Context(), true, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "outcomes", say(done), []string{"gateway-e2e-a true kept, and expires in 1h00m"})
	same(t, "files", u.left(r), nil)
}

// TestARunThatLostItsLockKeepsItsCluster has the state folder removed under a run.
func TestARunThatLostItsLockKeepsItsCluster(t *testing.T) {
	u := newUser(t)
	one, err := process.Of(1)
	if err != nil {
		t.Fatal(err)
	}
	u.record("a", "gateway", func(r *Record) { r.Keep, r.Owner = false, one })
	v := u.inventory("a")
	if done, err := v.Reap(t.Context(), t.Output()); len(done) != 0 || err != nil {
		t.Errorf("reaped %v, %v", done, err)
	}
	_, err = v.Down(t.Context(), false, t.Output())
	if err == nil || err.Error() != "cluster gateway-e2e-a is in use by process 1" || fault.Next(err) != "let process 1 end, or kill it" {
		t.Errorf("error %v, next %q", err, fault.Next(err))
	}
	same(t, "removed", u.removed(), nil)
}

// TestOneFailureDoesNotKeepTheOthers has an engine that cannot remove one container.
func TestOneFailureDoesNotKeepTheOthers(t *testing.T) {
	u := newUser(t)
	u.record("a", "first", nil)
	u.record("a", "podman", func(r *Record) { r.Engine = engine.Podman })
	u.record("a", "last", nil)
	busy := errors.New("device or resource busy")
	u.docker.Replies["docker rm --force --volumes first-e2e-a-1"] = command.Reply{Err: busy}
	u.docker.Replies["docker ps --all --quiet --no-trunc"] = command.Reply{Stdout: "first-e2e-a-1\n"}
	done, err := u.inventory("a").Down(t.Context(), false, t.Output())
	same(t, "outcomes", say(done), []string{"last-e2e-a true kept, and expires in 1h00m"})
	if !errors.Is(err, busy) || !errors.Is(err, engine.ErrNone) || !strings.Contains(err.Error(), "delete cluster first-e2e-a: remove containers: ") {
		t.Errorf("error %v", err)
	}
}

func TestABrokenLeaseOfSomebodyElseDoesNotKeepARun(t *testing.T) {
	u := newUser(t)
	if err := os.WriteFile(u.leases.path("broken"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := u.inventory("a").Reap(t.Context(), &out); err != nil || !strings.HasPrefix(out.String(), "warning: read the lease: ") {
		t.Errorf("error %v, output %q", err, out.String())
	}
	for what, call := range map[string]func() error{
		"down":   func() error { _, err := u.inventory("a").Down(t.Context(), true, t.Output()); return err },
		"status": func() error { _, err := u.inventory("a").Status(t.Context()); return err },
	} {
		if err := call(); err == nil || strings.Count(err.Error(), "read the lease: ") != 1 {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

func TestLockIsForOneProcessAtATime(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, StateFolder), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := Lock(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(root); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if lock, err = Lock(root); err != nil || lock.Unlock() != nil {
		t.Errorf("error %v", err)
	}
}
