package hybrid

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestValidateReportsEveryMistake(t *testing.T) {
	root := t.TempDir()
	for _, f := range []string{"a.Dockerfile", "manifests", "specs"} {
		if err := os.WriteFile(filepath.Join(root, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := Suite{
		Name: "a", Namespace: "ns", Images: []Image{{Name: "a", Dockerfile: "a.Dockerfile"}}, Setup: []string{"manifests"},
		Workloads: []Workload{{Name: "w", Manifests: "manifests"}}, Endpoints: []Endpoint{{Name: "e", NodePort: 30080}}, Specs: "./specs",
	}
	if err := good.Validate(root); err != nil {
		t.Fatalf("a good suite: %v", err)
	}
	bad := Suite{
		Name: "A_", Namespace: "ns", Images: []Image{{Name: "a", Dockerfile: "b.Dockerfile"}, {Name: "a", Dockerfile: "a.Dockerfile"}},
		Setup: []string{"nowhere"}, Workloads: []Workload{{Name: "w", Needs: []string{"x"}}},
		Endpoints: []Endpoint{{Name: "e", NodePort: 80}, {Name: "f", NodePort: 80}}, ExtraProcs: -1,
	}
	err := bad.Validate(root)
	if err == nil {
		t.Fatal("a bad suite passed")
	}
	for _, want := range []string{
		`suite name "A_" is not a DNS label`, "image a: b.Dockerfile does not exist", `image "a" is declared twice`,
		"setup: nowhere does not exist", `workload w needs "x"`, "workload w names no path", "endpoint e: port 80 is outside",
		"endpoints e and f share port 80", "specs names no path", "declares -1 extra processes",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
}

func TestFindListsTheSuites(t *testing.T) {
	suites := []Suite{{Name: "b"}, {Name: "a"}}
	if s, err := Find(suites, "a"); err != nil || s.Name != "a" {
		t.Errorf("found %+v, %v", s, err)
	}
	if _, err := Find(suites, "c"); err == nil || err.Error() != `suite "c" does not exist; there are: [a b]` {
		t.Errorf("error %v", err)
	}
}

func TestOptionsFromReportsEveryBadVariable(t *testing.T) {
	env := map[string]string{"KEEP_CLUSTER": "maybe", "IMAGE_SOURCE": "moon", "WORKERS": "-1", "TEST_TIMEOUT": "soon", "SECURITY_EPOCH": "never", "CONTAINER_ENGINE": "lxc", "CLUSTER_TTL": "0"}
	_, err := OptionsFrom("/r", func(k string) string { return env[k] }, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`KEEP_CLUSTER="maybe": want 1 or 0`, `IMAGE_SOURCE="moon": want one of auto, registry, local`, `CONTAINER_ENGINE="lxc": want one of docker, podman`,
		`WORKERS="-1": want a whole number from 0 to 9`, `TEST_TIMEOUT="soon": want a duration`, `CLUSTER_TTL="0": want a duration`, `SECURITY_EPOCH="never"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
}

func TestOptionsDefaults(t *testing.T) {
	o, err := OptionsFrom("/r", func(string) string { return "" }, nil)
	if err != nil {
		t.Fatal(err)
	}
	o = o.withDefaults()
	if o.Keep || o.Plain || o.FixedPorts || o.ImageSource != "auto" || o.Artifacts != "/r/_artifacts" || o.TestTimeout != 15*time.Minute || o.ClusterTTL != 12*time.Hour || o.Leases != "" {
		t.Errorf("options %+v", o)
	}
}

func TestProcessesOfTheSpecs(t *testing.T) {
	for _, c := range []struct{ option, extra, want int }{
		{0, 0, 3}, {0, 1, 3}, {0, 3, 5}, {1, 3, 1}, {9, 0, 9},
	} {
		if got := processes(c.option, c.extra, 2); got != c.want {
			t.Errorf("option %d, extra %d on two processors: %d processes, want %d", c.option, c.extra, got, c.want)
		}
	}
}
