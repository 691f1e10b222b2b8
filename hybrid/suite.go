package hybrid

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
)

// Suite declares everything the pipeline needs to know about one E2E suite.
// It is plain data, which may stand in a file as JSON or YAML; Validate finds its
// mistakes before any work starts.
type Suite struct {
	// Name is a DNS label such as "gateway"; cluster, folders and tags derive
	// from it.
	Name string `json:"name"`
	// Namespace is where stores and services run.
	Namespace string `json:"namespace"`
	// Images are built in parallel in the first phase.
	Images []Image `json:"images"`
	// Setup lists manifest files or folders applied as soon as the cluster
	// answers: namespaces and CRDs. Paths are relative to the repository.
	Setup []string `json:"setup,omitempty"`
	// Secrets are created with random values before workloads are applied.
	Secrets []Secret `json:"secrets,omitempty"`
	// Workloads are deployed in parallel in the fourth phase.
	Workloads []Workload `json:"workloads,omitempty"`
	// Endpoints are the NodePorts the specs reach from the host.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Spare are NodePorts that lead from the host to nothing yet: a spec opens
	// them for a service of its own, such as one that it is going to disturb. Where
	// Environment.Node is set they are not needed, and not there.
	Spare []Endpoint `json:"spare,omitempty"`
	// Specs is the Ginkgo package, such as "./test/e2e/gateway".
	Specs string `json:"specs"`
	// MoreSpecs are further Ginkgo packages, which run after Specs in the same
	// environment; Join fills it.
	MoreSpecs []string `json:"moreSpecs,omitempty"`
	// Alone says that what the suite deploys would disturb the specs of others: Join
	// refuses it.
	Alone bool `json:"alone,omitempty"`
	// ExtraProcs is how many processes run the specs beside one for each processor;
	// zero means 1. Specs that mostly wait are done sooner with more. The option
	// Procs overrides it.
	ExtraProcs int `json:"extraProcs,omitempty"`
	// Floors maps an import path below the module, such as "pkg/gateway", to
	// the percentage its E2E coverage must reach. Packages below it count in.
	Floors map[string]float64 `json:"floors,omitempty"`
}

// Image is one image that the suite builds.
type Image struct {
	// Name becomes the reference hybrid.local/<Name>:<content key>.
	Name string `json:"name"`
	// Dockerfile is relative to the repository, which is the build context.
	Dockerfile string `json:"dockerfile"`
	// BuildArgs are passed as they are and count into the content key.
	BuildArgs map[string]string `json:"buildArgs,omitempty"`
	// Coverage says that the image holds a Go service of this repository, which
	// is built instrumented in coverage mode and must deliver data. The Deployment
	// that runs it has the name of the image.
	Coverage bool `json:"coverage,omitempty"`
	// Native says that the image is made for the engine's platform alone, whatever
	// Options.Platforms has: its last stage runs programs.
	Native bool `json:"native,omitempty"`
}

// Secret is a Kubernetes Secret whose values the pipeline draws at deploy time,
// so that none stands in the repository.
type Secret struct {
	Name string `json:"name"`
	// Fixed are keys with a given, not secret, value (a user name, say).
	Fixed map[string]string `json:"fixed,omitempty"`
	// Random are keys that get 32 random hexadecimal digits each.
	Random []string `json:"random,omitempty"`
}

// Workload is one folder of manifests with the Deployments in it.
type Workload struct {
	Name string `json:"name"`
	// Manifests is the folder, relative to the repository.
	Manifests string `json:"manifests"`
	// Needs names workloads that must be ready before this one is applied.
	// Services that survive late dependencies need none.
	Needs []string `json:"needs,omitempty"`
}

// Endpoint is a NodePort that the host reaches on 127.0.0.1.
type Endpoint struct {
	// Name is the key under which specs find the URL, such as "gateway".
	Name string `json:"name"`
	// NodePort is the fixed port inside the cluster; the host port is chosen
	// free at run time.
	NodePort int32 `json:"nodePort"`
	// Path, when set, must answer 200 from the host before the specs start.
	Path string `json:"path,omitempty"`
}

var dnsLabel = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$`)

// Validate finds every mistake of the declaration: bad or doubled names, ports
// out of the NodePort range, needs that nobody provides, files missing below
// the repository root. All are reported together.
func (s Suite) Validate(root string) error {
	v := validator{suite: s.Name, root: root, seen: map[string]bool{}}
	v.name("suite", s.Name)
	v.name("namespace", s.Namespace)
	if len(s.Images) == 0 {
		v.addf("declares no image")
	}
	for _, img := range s.Images {
		v.name("image", img.Name)
		v.path("image "+img.Name, img.Dockerfile)
	}
	for _, p := range s.Setup {
		v.path("setup", p)
	}
	for _, sec := range s.Secrets {
		v.name("secret", sec.Name)
	}
	if s.ExtraProcs < 0 {
		v.addf("declares %d extra processes", s.ExtraProcs)
	}
	v.workloads(s.Workloads)
	ports := map[int32]string{}
	for _, e := range s.Spare {
		if e.Path != "" {
			v.addf("spare endpoint %s: nothing answers %s before the specs start", e.Name, e.Path)
		}
	}
	for _, e := range slices.Concat(s.Endpoints, s.Spare) {
		v.name("endpoint", e.Name)
		if e.NodePort < 30000 || e.NodePort > 32767 {
			v.addf("endpoint %s: port %d is outside the NodePort range 30000-32767", e.Name, e.NodePort)
		}
		if other, taken := ports[e.NodePort]; taken {
			v.addf("endpoints %s and %s share port %d", other, e.Name, e.NodePort)
		}
		ports[e.NodePort] = e.Name
	}
	v.path("specs", s.Specs)
	for _, specs := range s.MoreSpecs {
		v.path("specs", specs)
	}
	return errors.Join(v.errs...)
}

func (v *validator) workloads(all []Workload) {
	workloads := map[string][]string{}
	for _, w := range all {
		v.name("workload", w.Name)
		v.path("workload "+w.Name, w.Manifests)
		workloads[w.Name] = w.Needs
	}
	for _, w := range all {
		for _, need := range w.Needs {
			if _, ok := workloads[need]; !ok {
				v.addf("workload %s needs %q, which the suite does not have", w.Name, need)
			}
		}
	}
}

// manifests are all files and folders with manifests, in the order in which they are
// applied.
func (s Suite) manifests() []string {
	paths := slices.Clone(s.Setup)
	for _, w := range s.Workloads {
		paths = append(paths, w.Manifests)
	}
	return paths
}

// covered lists the images whose services deliver coverage data, sorted.
func (s Suite) covered() []string {
	var names []string
	for _, img := range s.Images {
		if img.Coverage {
			names = append(names, img.Name)
		}
	}
	sort.Strings(names)
	return names
}

// Find returns the suite called name. When there is none the error lists those
// that exist.
func Find(suites []Suite, name string) (Suite, error) {
	names := make([]string, len(suites))
	for i, s := range suites {
		if s.Name == name {
			return s, nil
		}
		names[i] = s.Name
	}
	slices.Sort(names)
	return Suite{}, fmt.Errorf("suite %q does not exist; there are: %v", name, names)
}

type validator struct {
	suite, root string
	seen        map[string]bool
	errs        []error
}

func (v *validator) addf(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("suite %q: "+format, append([]any{v.suite}, args...)...))
}

func (v *validator) name(kind, name string) {
	if !dnsLabel.MatchString(name) {
		v.addf("%s name %q is not a DNS label of at most 40 characters", kind, name)
	}
	if key := kind + "/" + name; v.seen[key] {
		v.addf("%s %q is declared twice", kind, name)
	} else {
		v.seen[key] = true
	}
}

func (v *validator) path(what, path string) {
	if path == "" {
		v.addf("%s names no path", what)
		return
	}
	if _, err := os.Stat(filepath.Join(v.root, path)); err != nil {
		v.addf("%s: %s does not exist", what, path)
	}
}
