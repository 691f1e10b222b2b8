package cluster

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// nodes is what docker says of two clusters, one of whose nodes bears a recorded name
// but another id.
const nodes = `[
{"Id":"aaa","Name":"/gateway-e2e-a-control-plane","Created":"2026-11-23T11:00:00Z","State":{"Status":"running"},"SizeRw":3000000,
 "Config":{"Labels":{"io.x-k8s.kind.cluster":"gateway-e2e-a"}},
 "Mounts":[{"Type":"volume","Name":"v1","Destination":"/var"},{"Type":"bind","Source":"/lib/modules"}]},
{"Id":"aab","Name":"/gateway-e2e-a-worker","Created":"2026-11-23T11:00:00Z","State":{"Status":"paused"},"SizeRw":1000000,
 "Config":{"Labels":{"io.x-k8s.kind.cluster":"gateway-e2e-a"}},"Mounts":[]},
{"Id":"foreign","Name":"/gateway-e2e-b-control-plane","Created":"2026-11-23T11:00:00Z","State":{"Status":"running"},"SizeRw":1,
 "Config":{"Labels":{"io.x-k8s.kind.cluster":"gateway-e2e-b"}},"Mounts":[]}]`

// seen has the engine answer for them.
func (u *user) seen(volumes command.Reply) {
	u.docker.Replies["docker ps --all --quiet --no-trunc --filter label="+clusterLabel] = command.Reply{Stdout: "aaa\naab\nforeign\n"}
	u.docker.Replies["docker container inspect --size aaa aab foreign"] = command.Reply{Stdout: nodes}
	u.docker.Replies["docker system df --verbose --format '{{json .Volumes}}'"] = volumes
}

func TestStatus(t *testing.T) {
	u := newUser(t)
	u.record("a", "gateway", func(r *Record) {
		r.Nodes = []Node{{"gateway-e2e-a-control-plane", "aaa"}, {"gateway-e2e-a-worker", "aab"}}
	})
	gone := u.record("b", "gateway", func(r *Record) { r.Keep = false })
	u.seen(command.Reply{Stdout: `[{"Name":"v1","Size":"989.3MB"},{"Name":"v2","Size":"N/A"}]`})
	if err := os.RemoveAll(gone.Checkout); err != nil {
		t.Fatal(err)
	}
	list, err := u.inventory("a").Status(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for i := range list {
		list[i].Checkout = strings.Replace(list[i].Checkout, u.home, "/src", 1)
	}
	got := strings.Split(Table(list, noon), "\n")
	want := []string{
		"CLUSTER        SUITE    CHECKOUT           AGE    OWNER                  EXPIRES   NODES                DISK",
		"gateway-e2e-a  gateway  /src/a (this one)  3h00m  kept                   in 1h00m  1 running, 1 paused  993 MB",
		"gateway-e2e-b  gateway  /src/b (gone)      3h00m  process 4194304, gone  now       1 gone               0 MB",
		"",
	}
	same(t, "table", got, want)
	calls := u.docker.Calls()
	slices.Sort(calls) // Two questions are asked at the same time.
	same(t, "calls", calls, []string{
		"docker container inspect --size aaa aab foreign", "docker ps --all --quiet --no-trunc --filter label=io.x-k8s.kind.cluster",
		"docker system df --verbose --format '{{json .Volumes}}'",
	})
}

func TestStatusForPrograms(t *testing.T) {
	u := newUser(t)
	r := u.record("a", "gateway", nil)
	u.seen(command.Reply{Err: errors.New("too slow")})
	list, err := u.inventory("a").Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name":"gateway-e2e-a","suite":"gateway","checkout":"` + r.Checkout + `","own":true,"checkout_gone":false,"standing":"kept",` +
		`"owner":{"pid":4194304,"alive":false},"created":"2026-11-23T09:00:00Z","expires":"2026-11-23T13:00:00Z","kept":true,` +
		`"nodes":[{"name":"gateway-e2e-a-control-plane","id":"gateway-e2e-a-1","state":"gone"}],"bytes":0}]`
	if string(b) != want {
		t.Errorf("JSON\n%s\nwant\n%s", b, want)
	}
}

// TestStatusWithoutAnEngine tells what the leases know.
func TestStatusWithoutAnEngine(t *testing.T) {
	u := newUser(t)
	u.record("a", "gateway", func(r *Record) { r.Engine = engine.Podman })
	list, err := u.inventory("a").Status(t.Context())
	if !errors.Is(err, engine.ErrNone) || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if line := strings.Split(Table(list, noon), "\n")[1]; !strings.HasSuffix(line, "  1 unknown  unknown") {
		t.Errorf("line %q", line)
	}
}

func TestTableCells(t *testing.T) {
	for name, c := range map[string]struct {
		status     Status
		owner, end string
	}{
		"in use":             {Status{Standing: InUse, Owner: Owner{PID: 7}}, "process 7, alive", "with its run"},
		"reused":             {Status{Standing: InUse, Kept: true, Owner: Owner{PID: 7}, Expires: noon.Add(time.Hour)}, "process 7, alive", "in 1h00m"},
		"orphaned":           {Status{Standing: Orphaned, Owner: Owner{PID: 7}}, "process 7, gone", "now"},
		"elsewhere":          {Status{Standing: Elsewhere, Owner: Owner{PID: 7}}, "process 7, elsewhere", "with its run"},
		"expired":            {Status{Standing: Expired, Kept: true, Expires: noon.Add(-time.Hour)}, "kept", "1h00m ago"},
		"an earlier version": {Status{Standing: Kept, Kept: true}, "kept", "never"},
	} {
		if owner, end := c.status.owner(), c.status.end(noon); owner != c.owner || end != c.end {
			t.Errorf("%s: %q, %q, want %q, %q", name, owner, end, c.owner, c.end)
		}
	}
	if got := (Status{}).nodes(); got != "none" {
		t.Errorf("no nodes: %q", got)
	}
}
