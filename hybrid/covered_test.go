package hybrid

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
)

func TestEachStartOfABuildHasAFolder(t *testing.T) {
	p := &Pipeline{
		suite: Suite{Images: []Image{{Name: "svc", Coverage: true}, {Name: "db"}}},
		plans: []image.Plan{{Spec: image.Spec{Name: "svc"}, Ref: image.Registry + "/svc:k1"}, {Spec: image.Spec{Name: "db"}, Ref: image.Registry + "/db:k2"}},
	}
	if got, want := p.sources("run"), []coverage.Source{{Service: "svc", Start: "k1.run"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("sources %+v, want %+v", got, want)
	}
	p.o.Plain = true
	if got := p.sources("run"); got != nil {
		t.Errorf("sources %+v in plain mode", got)
	}
}

// TestARunMeasuresServicesThatNobodyUsed says which start of the services counts.
func TestARunMeasuresServicesThatNobodyUsed(t *testing.T) {
	for name, c := range map[string]struct {
		waiting       string
		reused, plain bool
		want          string
		left          bool // whether they wait for the next run still
	}{
		"a new cluster":                    {want: "run"},
		"a kept cluster, services used":    {reused: true, want: "run"},
		"a kept cluster, services waiting": {reused: true, waiting: "before-next\n", want: "before-next", left: true},
		"services of a cluster that went":  {waiting: "before-next\n", want: "run"},
		"coverage off":                     {reused: true, plain: true, waiting: "before-next\n", want: "run"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Pipeline{run: "run", state: t.TempDir(), o: Options{Plain: c.plain}, cluster: &cluster.Cluster{Reused: c.reused}}
			file := filepath.Join(p.state, startFile)
			if c.waiting != "" {
				if err := os.WriteFile(file, []byte(c.waiting), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.takeStart(); err != nil {
				t.Fatal(err)
			}
			if p.start != c.want {
				t.Errorf("start %q, want %q", p.start, c.want)
			}
			if _, err := os.Stat(file); (err == nil) != c.left {
				t.Errorf("%s: %v", startFile, err)
			}
			if err := p.useStart(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file); err == nil {
				t.Error("services that specs have used wait for another run")
			}
		})
	}
}
