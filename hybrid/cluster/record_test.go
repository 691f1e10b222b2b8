package cluster

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/process"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// dead is a process that cannot be: its id is above the kernel's largest.
func dead() process.Identity {
	i := process.Self()
	i.PID = 1 << 22
	return i
}

// reused is this process's id, given to it after another process had it.
func reused() process.Identity {
	i := process.Self()
	i.Start--
	return i
}

// elsewhere is a process of another machine.
func elsewhere() process.Identity {
	return process.Identity{PID: 1, Start: 1, Boot: "another", Host: "another"}
}

func TestRecordSurvives(t *testing.T) {
	dir := t.TempDir()
	if r, err := readRecord(dir); r != nil || err != nil {
		t.Fatalf("an empty folder gave %v, %v", r, err)
	}
	leases := Leases{folder: t.TempDir()}
	want := Record{
		Config: config(), Suite: "gateway", Checkout: "/src/a", State: dir, Engine: engine.Docker, Nodes: []Node{{"a", "1"}},
		Owner: process.Self(), Started: noon, LastUsed: noon.Add(time.Hour), Expires: noon.Add(2 * time.Hour), Ready: true, Keep: true,
	}
	if err := want.save(leases); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(dir)
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("read %+v, %v", got, err)
	}
	lease, err := leases.get(want.Config.Name)
	if err != nil || !reflect.DeepEqual(*lease, want) {
		t.Errorf("the lease is %+v, %v", lease, err)
	}
	for _, file := range []string{filepath.Join(dir, recordFile), leases.path(want.Config.Name)} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, recordFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readRecord(dir); err == nil || !strings.Contains(err.Error(), recordFile) {
		t.Errorf("a broken record: %v", err)
	}
}

// TestRecordOfAnEarlierVersion reads what was written before there were leases.
func TestRecordOfAnEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	old := `{"config":{"name":"a-e2e-00000000"},"engine":"docker","owner":4711,"started":"2026-11-23T12:00:00Z","ready":true,"keep":true}`
	if err := os.WriteFile(filepath.Join(dir, recordFile), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := readRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Standing(noon.Add(1000 * time.Hour)); got != Kept || r.orphaned() {
		t.Errorf("standing %s, orphaned %t", got, r.orphaned())
	}
	r.Keep = false
	if got := r.Standing(noon); got != Orphaned || !r.orphaned() {
		t.Errorf("not kept: standing %s, orphaned %t", got, r.orphaned())
	}
}

func TestStanding(t *testing.T) {
	past, future := noon.Add(-time.Hour), noon.Add(time.Hour)
	for name, c := range map[string]struct {
		record   Record
		standing Standing
		orphaned bool
		why      string
	}{
		"its run goes on":                 {Record{Owner: process.Identity{PID: 1, Start: 0}}, InUse, false, "in use by process 1"},
		"its run is dead":                 {Record{Owner: dead()}, Orphaned, true, "left by a run that is gone"},
		"its run's id was reused":         {Record{Owner: reused()}, Orphaned, true, "left by a run that is gone"},
		"this process left it":            {Record{Owner: process.Self()}, InUse, true, "in use by process"},
		"kept":                            {Record{Owner: dead(), Ready: true, Keep: true, Expires: future}, Kept, false, "kept, and expires in 1h00m"},
		"kept for ever":                   {Record{Owner: dead(), Ready: true, Keep: true}, Kept, false, "kept"},
		"kept, expired":                   {Record{Owner: dead(), Ready: true, Keep: true, Expires: past}, Expired, false, "kept, and expired 1h00m ago"},
		"kept, expired, yet in use":       {Record{Owner: process.Self(), Ready: true, Keep: true, Expires: past}, InUse, false, "in use by process"},
		"to be kept, but never ready":     {Record{Owner: dead(), Keep: true, Expires: future}, Orphaned, true, "left by a run that is gone"},
		"of another machine":              {Record{Owner: elsewhere()}, Elsewhere, true, "of a run on another that cannot be seen from here"},
		"kept on another machine":         {Record{Owner: elsewhere(), Ready: true, Keep: true, Expires: past}, Elsewhere, false, "of a run on another"},
		"nobody's, of an earlier version": {Record{}, Orphaned, true, "left by a run that is gone"},
	} {
		if c.record.Owner.PID == 1 && name == "its run goes on" {
			one, err := process.Of(1)
			if err != nil {
				t.Fatal(err)
			}
			c.record.Owner = one
		}
		if got := c.record.Standing(noon); got != c.standing {
			t.Errorf("%s: standing %q, want %q", name, got, c.standing)
		}
		if got := c.record.orphaned(); got != c.orphaned {
			t.Errorf("%s: orphaned %t", name, got)
		}
		if got := c.record.why(noon); !strings.HasPrefix(got, c.why) {
			t.Errorf("%s: why %q, want %q", name, got, c.why)
		}
		if free := c.record.free(noon); free != (c.standing == Orphaned || c.standing == Expired) {
			t.Errorf("%s: free %t", name, free)
		}
	}
}

func TestSpan(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": -time.Second, "59s": 59900 * time.Millisecond, "59m": time.Hour - 1, "3h05m": 3*time.Hour + 5*time.Minute, "47h59m": 48*time.Hour - 1, "2d": 48 * time.Hour,
	} {
		if got := span(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
