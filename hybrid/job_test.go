package hybrid

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/shard"
)

func TestWhatMakesNoSenseForAJobIsRefused(t *testing.T) {
	there := Existing{Named: true}
	for _, c := range []struct {
		suite Suite
		o     Options
		n     int
		want  string
	}{
		{Suite{}, Options{}, 2, "the shards of a Job need a cluster that exists"},
		{Suite{}, Options{Existing: there}, 0, "0 shards at the same time: want 1 to 20"},
		{Suite{}, Options{Existing: there}, 21, "21 shards at the same time: want 1 to 20"},
		{Suite{}, Options{Existing: there, Shard: shard.Part{Number: 1, Of: 2}}, 2, "SHARD=1/2 is one shard, and all are to run"},
		{Suite{Name: "controller", Alone: true}, Options{Existing: there}, 2, "suite controller has to be alone in its cluster, so that it cannot have 2 shards there"},
	} {
		if err := inOneCluster(c.suite, c.o, c.n); err == nil || err.Error() != c.want || fault.Next(err) == "" {
			t.Errorf("error %v, next %q; want %s", err, fault.Next(err), c.want)
		}
	}
	if err := inOneCluster(Suite{Alone: true}, Options{Existing: there}, 1); err != nil {
		t.Error(err)
	}
}

func TestInPodKeepsTheAccountAndReachesTheClusterFromWithin(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	token := write("token", "secret\n")
	of := func(user string) string {
		return "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n" +
			"clusters: [{name: c, cluster: {server: 'https://127.0.0.1:40123', insecure-skip-tls-verify: true}}]\nusers: [{name: u, user: " + user + "}]\n"
	}
	got, err := inPod(write("kubeconfig", of("{tokenFile: "+token+"}")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"server: https://kubernetes.default.svc\n", "certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt\n", "token: secret\n",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
	for _, never := range []string{"tokenFile", "insecure", "127.0.0.1"} {
		if strings.Contains(string(got), never) {
			t.Errorf("it has %q:\n%s", never, got)
		}
	}
	program := "{exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, interactiveMode: Never}}"
	if _, err := inPod(write("program", of(program))); err == nil || fault.Next(err) == "" || !strings.Contains(err.Error(), "from a program") {
		t.Errorf("error %v", err)
	}
	if _, err := inPod(write("absent", of("{tokenFile: "+token+"-absent}"))); err == nil {
		t.Error("a token that is not there passed")
	}
}
