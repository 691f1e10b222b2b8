package hybrid

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/registry"
)

func TestOptionsOfAnExistingCluster(t *testing.T) {
	env := map[string]string{"CLUSTER": "existing", "KUBECONFIG": "kc", "CONTEXT": "team", "REGISTRY": "registry.example.com/e2e"}
	o, err := OptionsFrom("/r", func(name string) string { return env[name] }, io.Discard)
	if want := (Existing{Named: true, Kubeconfig: "kc", Context: "team"}); err != nil || o.Existing != want || o.checkExisting() != nil {
		t.Errorf("%+v, %v, %v; want %+v", o.Existing, err, o.checkExisting(), want)
	}
	env["CLUSTER"] = ""
	if o, err := OptionsFrom("/r", func(name string) string { return env[name] }, io.Discard); err != nil || o.Existing != (Existing{}) {
		t.Errorf("without CLUSTER: %+v, %v", o.Existing, err)
	}
	env["CLUSTER"] = "other"
	if _, err := OptionsFrom("/r", func(name string) string { return env[name] }, io.Discard); err == nil || !strings.Contains(err.Error(), `CLUSTER="other": want one of kind, existing`) {
		t.Errorf("error %v", err)
	}
}

func TestWhatMakesNoSenseInAnExistingClusterIsRefused(t *testing.T) {
	there := Existing{Named: true, Kubeconfig: "kc"}
	r, err := registry.Parse("registry.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"CLUSTER=existing: no registry is named from which its nodes pull images": {Existing: there},
		"CLUSTER=existing: what a run deploys there goes with the run":            {Existing: there, Registry: r, Keep: true},
		"CLUSTER=existing: the numbers of ports are the cluster's to give":        {Existing: there, Registry: r, FixedPorts: true},
		"CLUSTER=existing: its nodes are none of ours":                            {Existing: there, Registry: r, Workers: 2},
	} {
		if err := o.checkExisting(); err == nil || err.Error() != want || fault.Next(err) == "" {
			t.Errorf("error %v, next %q; want %s", err, fault.Next(err), want)
		}
	}
	if err := severalClusters(Options{Existing: there}, 2); err == nil || !strings.HasPrefix(err.Error(), "CLUSTER=existing: ") {
		t.Errorf("several clusters: %v", err)
	}
}

func TestTheClusterIsAskedBeforeAnythingIsBuilt(t *testing.T) {
	root, suite := repository(t)
	var out bytes.Buffer
	o := options(root, &out, anEngine())
	o.Existing = Existing{Named: true, Kubeconfig: "absent"}
	o.Registry, _ = registry.Parse("registry.example.com")
	if _, err := Open(t.Context(), suite, o); err == nil {
		t.Fatal("it was opened")
	}
	for _, want := range []string{"FAILED  preflight: access", "read KUBECONFIG: open " + filepath.Join(root, "absent"), "next    KUBECONFIG=<one file> CONTEXT=<name in it>"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
}

func TestRunsOfOneSecondHaveNamesOfTheirOwn(t *testing.T) {
	root, suite := repository(t)
	seen := map[string]bool{}
	for range 3 {
		o := options(root, &bytes.Buffer{}, anEngine()).withDefaults()
		o.Existing.Named = true
		p := newPipeline(suite, o)
		if err := p.isolate(); err != nil {
			t.Fatal(err)
		}
		if name := p.namespace(); !regexp.MustCompile(`^shop-20261123-120000-[a-z0-9]{5}$`).MatchString(name) || seen[name] {
			t.Errorf("namespace %q, before %v", name, seen)
		} else {
			seen[name] = true
		}
	}
}

func TestAKilledRunWhoseClusterIsGoneHoldsUpNobody(t *testing.T) {
	root, suite := repository(t)
	o := options(root, &bytes.Buffer{}, anEngine()).withDefaults()
	p := newPipeline(suite, o)
	folder := filepath.Join(p.state, existingFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(folder, "20261123-110000-abcde.json")
	if err := os.WriteFile(note, []byte(`{"isolation":"20261123-110000-abcde","kubeconfig":"/absent/kubeconfig"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"run 20261123-110000-abcde may have left something: read KUBECONFIG: open /absent/kubeconfig: no such file or directory; delete " + note + " if its cluster is gone",
	}
	if got := p.cleanKilled(t.Context(), io.Discard); !slices.Equal(got, want) {
		t.Errorf("remarks %q, want %q", got, want)
	}
	if _, err := os.Stat(note); err != nil {
		t.Errorf("the note: %v", err)
	}
}
