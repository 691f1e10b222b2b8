package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// user has checkouts, a folder of leases and an engine that is a recorder.
type user struct {
	t      *testing.T
	home   string
	leases Leases
	docker *command.Recorder
}

func newUser(t *testing.T) *user {
	t.Helper()
	leases, err := OpenLeases(filepath.Join(t.TempDir(), "leases"))
	if err != nil {
		t.Fatal(err)
	}
	return &user{t: t, home: t.TempDir(), leases: leases, docker: &command.Recorder{Replies: map[string]command.Reply{"docker rm": {}}}}
}

func (u *user) inventory(checkout string) Inventory {
	return Inventory{
		Checkout: filepath.Join(u.home, checkout), Leases: u.leases, Runner: u.docker, Now: func() time.Time { return noon },
		detect: func(_ context.Context, kind string) (*engine.Engine, error) {
			if kind != engine.Docker {
				return nil, engine.ErrNone
			}
			return &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: u.docker}, nil
		},
	}
}

// record gives a checkout a cluster with one node, whose id is name-1, and files.
func (u *user) record(checkout, suite string, change func(*Record)) Record {
	u.t.Helper()
	root := filepath.Join(u.home, checkout)
	name := suite + "-e2e-" + checkout
	r := Record{
		Config: Config{Name: name, Ports: []Port{{Name: "api", Node: 30080, Host: 41000}}}, Suite: suite, Checkout: root,
		State: filepath.Join(root, StateFolder, suite), Engine: engine.Docker, Nodes: []Node{{name + "-control-plane", name + "-1"}},
		Started: noon.Add(-3 * time.Hour), Owner: dead(), Ready: true, Keep: true, Expires: noon.Add(time.Hour),
	}
	if change != nil {
		change(&r)
	}
	if err := os.MkdirAll(r.State, 0o755); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.State, "kubeconfig"), nil, 0o600); err != nil {
		u.t.Fatal(err)
	}
	if err := r.save(u.leases); err != nil {
		u.t.Fatal(err)
	}
	u.runs(container{name: name + "-control-plane", id: name + "-1", cluster: name, created: r.Started.Add(time.Second), host: "41000"})
	return r
}

// container is what the engine is to answer.
type container struct {
	name, id, cluster, state, host, mount string
	created                               time.Time
}

// runs has the engine answer that it runs just these containers of their cluster.
func (u *user) runs(list ...container) {
	u.t.Helper()
	var ids []string
	var answer []map[string]any
	for _, c := range list {
		ids = append(ids, c.id)
		answer = append(answer, map[string]any{
			"Id": c.id, "Name": "/" + c.name, "Created": c.created, "State": map[string]string{"Status": c.state},
			"Config":     map[string]any{"Labels": map[string]string{clusterLabel: c.cluster, roleLabel: controlPlane}},
			"HostConfig": map[string]any{"PortBindings": map[string]any{"30080/tcp": []map[string]string{{"HostIp": "127.0.0.1", "HostPort": c.host}}}},
			"Mounts":     []map[string]string{{"Type": "bind", "Source": c.mount, "Destination": "/coverdata"}},
		})
	}
	b, err := json.Marshal(answer)
	if err != nil {
		u.t.Fatal(err)
	}
	u.docker.Replies["docker ps --all --quiet --no-trunc --filter label="+clusterLabel+"="+list[0].cluster] = command.Reply{Stdout: strings.Join(ids, "\n") + "\n"}
	u.docker.Replies["docker container inspect "+strings.Join(ids, " ")] = command.Reply{Stdout: string(b)}
}

// removed lists the ids that were removed, in order.
func (u *user) removed() []string {
	var ids []string
	for _, call := range u.docker.Calls() {
		if rest, ok := strings.CutPrefix(call, "docker rm --force --volumes "); ok {
			ids = append(ids, strings.Fields(rest)...)
		}
	}
	return ids
}

// left lists the files that speak of the cluster.
func (u *user) left(r Record) []string {
	var files []string
	for _, f := range []string{filepath.Join(r.State, "kubeconfig"), filepath.Join(r.State, recordFile), u.leases.path(r.Config.Name)} {
		if _, err := os.Stat(f); err == nil {
			files = append(files, filepath.Base(f))
		}
	}
	return files
}

func say(done []Outcome) []string {
	var lines []string
	for _, o := range done {
		lines = append(lines, fmt.Sprintf("%s %t %s", o.Name, o.Deleted, o.Reason))
	}
	return lines
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s\n%q\nwant\n%q", what, got, want)
	}
}
