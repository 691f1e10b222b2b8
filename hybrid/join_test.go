package hybrid

import (
	"reflect"
	"testing"
)

func TestJoinHasEverythingOnce(t *testing.T) {
	store := Image{Name: "store", Dockerfile: "store.Dockerfile"}
	a := Suite{
		Name: "a", Namespace: "ns", Images: []Image{{Name: "a", Dockerfile: "a.Dockerfile"}, store}, Setup: []string{"namespaces", "crds"},
		Secrets: []Secret{{Name: "s", Random: []string{"password"}}}, Workloads: []Workload{{Name: "a", Manifests: "a"}, {Name: "store", Manifests: "store"}},
		Endpoints: []Endpoint{{Name: "a", NodePort: 30080}}, Spare: []Endpoint{{Name: "spare", NodePort: 30100}},
		Specs: "./a", ExtraProcs: 2, Floors: map[string]float64{"pkg/a": 70, "pkg/store": 50},
	}
	b := Suite{
		Name: "b", Namespace: "ns", Images: []Image{store}, Setup: []string{"namespaces"},
		Secrets: []Secret{{Name: "s", Random: []string{"password"}}}, Workloads: []Workload{{Name: "store", Manifests: "store"}},
		Endpoints: []Endpoint{{Name: "store", NodePort: 30081}}, Spare: []Endpoint{{Name: "spare", NodePort: 30100}},
		Specs: "./b", MoreSpecs: []string{"./b2"}, ExtraProcs: 3, Floors: map[string]float64{"pkg/store": 60},
	}
	want := a
	want.Name, want.MoreSpecs, want.ExtraProcs = "all", []string{"./b", "./b2"}, 3
	want.Endpoints = []Endpoint{{Name: "a", NodePort: 30080}, {Name: "store", NodePort: 30081}}
	want.Floors = map[string]float64{"pkg/a": 70, "pkg/store": 60}
	got, err := Join("all", a, b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("joined %+v, %v\nwant %+v", got, err, want)
	}
}

func TestJoinRefusesWhatDiffers(t *testing.T) {
	a := Suite{Name: "a", Namespace: "ns", Images: []Image{{Name: "store", Dockerfile: "store.Dockerfile"}}, Endpoints: []Endpoint{{Name: "store", NodePort: 30081}}}
	b := Suite{Name: "b", Alone: true, Namespace: "other", Images: []Image{{Name: "store", Dockerfile: "b.Dockerfile"}}, Endpoints: []Endpoint{{Name: "store", NodePort: 30082}}}
	_, err := Join("all", a, b)
	want := "suite b has its cluster alone: what it deploys would disturb others\n" +
		"suites a and b have namespaces of their own: ns and other\n" +
		"suite b has another image store than the suites before it\n" +
		"suite b has another endpoint store than the suites before it"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant %s", err, want)
	}
}

func TestSharedJoinsWhatFits(t *testing.T) {
	suite := func(name, namespace string) Suite { return Suite{Name: name, Namespace: namespace, Specs: "./" + name} }
	for _, c := range []struct {
		suites []Suite
		want   []string
	}{
		{nil, nil},
		{[]Suite{suite("a", "x")}, []string{"a"}},
		{[]Suite{suite("a", "x"), suite("b", "x")}, []string{"all"}},
		{[]Suite{suite("a", "x"), suite("b", "y"), suite("c", "x")}, []string{"all", "b"}},
		{[]Suite{suite("a", "x"), suite("b", "y"), suite("c", "x"), suite("d", "y")}, []string{"all", "all-2"}},
	} {
		var names []string
		for _, s := range Shared("all", c.suites...) {
			names = append(names, s.Name)
		}
		if !reflect.DeepEqual(names, c.want) {
			t.Errorf("%d suites became %v, want %v", len(c.suites), names, c.want)
		}
	}
}
