package sample

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/coverage"
	"github.com/hybrid-e2e/hybrid/hybrid/deploy"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/verify"
)

// root is this repository as tests of this package see it.
const root = "../.."

// ownTemplate is what the owner of a repository adds, with a value of its own.
const ownTemplate = `
-- go.mod --
module {{.Module}}

go 1.26
-- specs/specs_test.go --
package specs
`

func generated(t *testing.T, services int) Repository {
	t.Helper()
	r := Repository{Name: "sample", Dir: filepath.Join(t.TempDir(), "r"), Services: services, Token: "abc"}
	if err := r.Generate(root); err != nil {
		t.Fatal(err)
	}
	if err := r.Add(ownTemplate, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

// The generated repositories keep the rules of this one.
func TestRepositoryDepartsFromNoStandard(t *testing.T) {
	r := generated(t, 3)
	suite := r.Suite()
	if err := suite.Validate(r.Dir); err != nil {
		t.Error(err)
	}
	o := verify.Options{Registry: image.Registry, CoveragePath: coverage.Path, NodePorts: map[string]int32{}}
	known, folders := map[string]bool{}, append([]string(nil), suite.Setup...)
	for i, img := range suite.Images {
		o.Images = append(o.Images, verify.Image{Name: img.Name, Dockerfile: img.Dockerfile, Coverage: img.Coverage})
		o.NodePorts[suite.Endpoints[i].Name] = suite.Endpoints[i].NodePort
		known[image.Registry+"/"+img.Name] = true
		folders = append(folders, suite.Workloads[i].Manifests)
	}
	result, err := verify.Run(t.Context(), r.Dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Findings) > 0 {
		t.Error(result)
	}
	if err := deploy.Check(r.Dir, folders, known); err != nil {
		t.Error(err)
	}
}

func TestEveryServiceHasAllOfItsOwn(t *testing.T) {
	r := generated(t, 50)
	suite := r.Suite()
	if suite.Name != "sample-50" || len(suite.Images) != 50 || len(suite.Workloads) != 50 || len(suite.Endpoints) != 50 {
		t.Fatalf("%s has %d images, %d workloads, %d endpoints", suite.Name, len(suite.Images), len(suite.Workloads), len(suite.Endpoints))
	}
	if got := suite.Images[49].Name; got != "sample-abc-50" {
		t.Errorf("the last image is %s", got)
	}
	if got := suite.Endpoints[49]; got.Name != "service-50" || got.NodePort != 30149 || got.Path != "/" {
		t.Errorf("the last endpoint is %+v", got)
	}
	seen := map[string]string{}
	for round := range 2 {
		for _, key := range keys(t, r) {
			if other, twice := seen[key]; twice {
				t.Errorf("two images have the key %s: %s and one of round %d", key, other, round)
			}
			seen[key] = "one of an earlier service or round"
		}
		if err := r.Change(round + 1); err != nil {
			t.Fatal(err)
		}
	}
}

// keys are the content keys of all images.
func keys(t *testing.T, r Repository) []string {
	t.Helper()
	var specs []image.Spec
	for _, img := range r.Suite().Images {
		specs = append(specs, image.Spec{Name: img.Name, Dockerfile: img.Dockerfile})
	}
	plans, err := image.Plans(image.Options{Root: r.Dir}, specs)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, len(plans))
	for i, p := range plans {
		list[i] = p.Key
	}
	return list
}

// All Dockerfiles share every instruction but those that name the service, so that the
// engine does what they share once.
func TestDockerfilesDifferInTheLastLayerOnly(t *testing.T) {
	r := generated(t, 2)
	var texts [2]string
	for i := range texts {
		content, err := os.ReadFile(filepath.Join(r.Dir, r.Suite().Images[i].Dockerfile))
		if err != nil {
			t.Fatal(err)
		}
		before, after, found := strings.Cut(string(content), "COPY --chmod=755 services/"+r.Service(i)+" /srv\n")
		if !found {
			t.Fatalf("no COPY of the service in\n%s", content)
		}
		texts[i] = before
		if strings.Contains(after, "RUN ") || strings.Contains(after, "COPY ") {
			t.Errorf("there are layers above the service's own:\n%s", after)
		}
	}
	if texts[0] != texts[1] {
		t.Errorf("below the last layer the Dockerfiles differ:\n%s\n%s", texts[0], texts[1])
	}
}

func TestPagesDifferByServiceNumberAndRound(t *testing.T) {
	r, other := Repository{Services: 2}, Repository{Services: 10}
	if got := r.page(0, 1); got != "service-01 of 2, round 1" {
		t.Errorf("page %q", got)
	}
	if r.page(0, 1) == r.page(1, 1) || r.page(0, 1) == r.page(0, 2) || r.page(0, 1) == other.page(0, 1) {
		t.Error("two pages are the same")
	}
}
