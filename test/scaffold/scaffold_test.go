package scaffold_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/verify"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
	"github.com/hybrid-e2e/hybrid/test/sample"
	"github.com/hybrid-e2e/hybrid/test/scaffold"
)

// root is this repository as tests of this package see it.
const root = "../.."

// Names that no suite of this repository has, nor is likely to get.
const (
	service    = "sampleorders"
	controller = "samplelabeller"
)

// command runs a program in a folder and returns what it printed.
func command(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// newCopy copies this repository without what git ignores.
func newCopy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := sample.Copy(t.Context(), root, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// both plans and writes both shapes into a copy, the second with the ports that the
// first has left. It returns the rows that are new in the table.
func both(t *testing.T, dir string) []infrastructure.Port {
	t.Helper()
	var ports []infrastructure.Port
	for _, o := range []scaffold.Options{{Name: service}, {Name: controller, Controller: true}} {
		var err error
		o.Root, o.Namespace, o.Suites = dir, infrastructure.Namespace, infrastructure.All()
		o.Port, o.MetricsPort, err = infrastructure.FreePorts(o.Name, append(ports, infrastructure.Ports()...))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := scaffold.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Write(t.Context()); err != nil {
			t.Fatal(err)
		}
		ports = append(ports, infrastructure.Port{Service: o.Name, Name: "http", NodePort: o.Port},
			infrastructure.Port{Service: o.Name, Name: "metrics", NodePort: o.MetricsPort})
	}
	return ports
}

func TestBothShapesHoldWhatThisRepositoryAsks(t *testing.T) {
	dir := newCopy(t)
	ports := both(t, dir)
	t.Run("verify", func(t *testing.T) { departsFromNothing(t, dir, ports) })
	var own, specs []string
	for _, name := range []string{service, controller} {
		own = append(own, "./cmd/"+name, "./pkg/"+name)
		specs = append(specs, "./test/e2e/"+name)
	}
	t.Run("vet", func(t *testing.T) {
		command(t, dir, append([]string{"go", "vet", "./magefiles"}, specs...)...)
	})
	t.Run("tests", func(t *testing.T) {
		// Those of the declarations hold them against manifests, ports and folders.
		command(t, dir, append([]string{"go", "test", "./test/infrastructure"}, own...)...)
	})
}

func departsFromNothing(t *testing.T, dir string, ports []infrastructure.Port) {
	t.Helper()
	o := infrastructure.VerifyOptions()
	for _, name := range []string{service, controller} {
		o.Images = append(o.Images, verify.Image{Name: name, Dockerfile: "docker/" + name + ".Dockerfile", Coverage: true})
	}
	for _, p := range ports {
		o.NodePorts[p.Service+"-"+p.Name] = p.NodePort
	}
	result, err := verify.Run(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Findings) > 0 {
		t.Error(result)
	}
}

// What images have in common is made once only if every instruction is the same.
func TestImagesShareTheirBasesWithTheGateway(t *testing.T) {
	dir := newCopy(t)
	both(t, dir)
	gateway := read(t, dir, "docker/gateway-ubi9.Dockerfile")
	for _, name := range []string{service, controller} {
		own := strings.ReplaceAll(read(t, dir, "docker/"+name+".Dockerfile"), name, "gateway")
		for from, to := range map[string]string{"ARG GO_TOOLSET_IMAGE": "COPY go.mod go.sum ./\n", "# Go cross-compiles": "LABEL "} {
			if got, want := section(t, own, from, to), section(t, gateway, from, to); got != want {
				t.Errorf("%s has\n%s\nthe Gateway has\n%s", name, got, want)
			}
		}
	}
}

func section(t *testing.T, text, from, to string) string {
	t.Helper()
	_, text, found := strings.Cut(text, from)
	text, _, ends := strings.Cut(text, to)
	if !found || !ends {
		t.Fatalf("nothing between %q and %q", from, to)
	}
	return text
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// minimal is a repository that has only what is extended.
func minimal(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "go.mod", []byte("module example.com/shop\n"))
	write(t, dir, "test/infrastructure/suites.go", []byte(`package infrastructure

func All() []Suite {
	return []Suite{Gateway()}
}
`))
	write(t, dir, "test/infrastructure/ports.go", []byte(`package infrastructure

const (
	// PortGateway is old.
	PortGateway int32 = 30080
)

const Namespace = "shop"

func Ports() []Port {
	return []Port{
		{Service: "gateway", Name: "http", NodePort: PortGateway},
	}
}
`))
	write(t, dir, "magefiles/e2e.go", []byte("package main\n\nfunc (E2E) Suite() error { return nil }\n"))
	return dir
}

func minimalOptions(dir string) scaffold.Options {
	return scaffold.Options{
		Root: dir, Name: "orders", Namespace: "shop", Port: 30084, MetricsPort: 30184, Suites: infrastructure.All(),
	}
}

// tree is every file below dir with its content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		if err == nil && entry.Type().IsRegular() {
			all[rel] = read(t, dir, rel)
		} else {
			all[rel] = entry.Type().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheSuiteIsRegistered(t *testing.T) {
	dir := minimal(t)
	plan, err := scaffold.New(minimalOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"test/infrastructure/suites.go": `package infrastructure

func All() []Suite {
	return []Suite{Gateway(), Orders()}
}
`,
		"test/infrastructure/ports.go": `package infrastructure

const (
	// PortGateway is old.
	PortGateway int32 = 30080

	PortOrders        int32 = 30084
	PortOrdersMetrics int32 = 30184
)

const Namespace = "shop"

func Ports() []Port {
	return []Port{
		{Service: "gateway", Name: "http", NodePort: PortGateway},
		{Service: "orders", Name: "http", NodePort: PortOrders},
		{Service: "orders", Name: "metrics", NodePort: PortOrdersMetrics},
	}
}
`,
		"magefiles/e2e.go": `package main

func (E2E) Suite() error { return nil }

// Orders tests Orders in a real cluster, with coverage, and leaves nothing behind.
//
// Example: KEEP_CLUSTER=1 mage e2e:orders
func (E2E) Orders(ctx context.Context) error {
	return failed("e2e:orders", infrastructure.EndToEnd(ctx, "orders"))
}
`,
	} {
		if got := read(t, dir, name); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
	want := []string{"test/infrastructure/suites.go", "test/infrastructure/ports.go", "magefiles/e2e.go"}
	if got := plan.Changed(); !slices.Equal(got, want) {
		t.Errorf("changed %q", got)
	}
}

func TestASecondTimeIsRefused(t *testing.T) {
	dir := minimal(t)
	o := minimalOptions(dir)
	plan, err := scaffold.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	written := tree(t, dir)
	for name, want := range map[string]string{
		"orders": "orders.go declares EndpointOrders already",
		// The table of ports that the caller knows is older than the sources.
		"stock": "test/infrastructure/ports.go has the port 30084 meanwhile",
	} {
		o.Name = name
		if _, err := scaffold.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want it to contain %q", name, err, want)
		}
	}
	if got := tree(t, dir); !maps.Equal(got, written) {
		t.Errorf("the repository is now %v", got)
	}
}

func TestRefusalsWriteNothing(t *testing.T) {
	dir := minimal(t)
	write(t, dir, "pkg/stock/doc.go", []byte("package stock\n"))
	before := tree(t, dir)
	for name, want := range map[string]string{
		"":                      "is not 1 to 32 lower-case letters and digits that begin with a letter: it becomes a Go package, a DNS label and an image",
		"new-orders":            "is not 1 to 32",
		"Orders":                "is not 1 to 32",
		"2orders":               "is not 1 to 32",
		strings.Repeat("o", 33): "is not 1 to 32",
		"range":                 "is a word of the Go language",
		"string":                "is a word of the Go language",
		"internal":              "has a meaning of its own for the go command",
		"common":                "says nothing, as a package's name should",
		"admin":                 "is that of a ClusterRole of every cluster",
		"merged":                "is that of a folder of the coverage report",
		"gateway":               `the suite gateway has the name "gateway" already`,
		"redis":                 `the suite gateway has the name "redis" already`,
		"namespace":             "ports.go declares Namespace already",
		"suite":                 "e2e.go declares Suite already",
		"stock":                 "the suite stock cannot be written, there is already: pkg/stock",
		"suites":                "the suite suites cannot be written, there is already: test/infrastructure/suites.go",
		"flag":                  `the name "flag" is used for something else in the sources that would be written`,
		"logs":                  `the name "logs" is used for something else in the sources that would be written`,
	} {
		o := minimalOptions(dir)
		o.Name = name
		if _, err := scaffold.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want it to contain %q", name, err, want)
		}
	}
	if got := tree(t, dir); !maps.Equal(got, before) {
		t.Errorf("the repository is now %v", got)
	}
}

func TestAWriteThatFailsLeavesNothing(t *testing.T) {
	dir := minimal(t)
	// The folder of the last new file cannot be made, and the plan cannot see it.
	if err := os.Symlink("nowhere", filepath.Join(dir, "test", "e2e")); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	plan, err := scaffold.New(minimalOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(t.Context()); err == nil || !strings.Contains(err.Error(), "write the suite, nothing of which is left") {
		t.Errorf("error %v", err)
	}
	if got := tree(t, dir); !maps.Equal(got, before) {
		t.Errorf("the repository is now %v", got)
	}
}

func TestAStopLeavesNothing(t *testing.T) {
	dir := minimal(t)
	plan, err := scaffold.New(minimalOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := plan.Write(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if got := tree(t, dir); !maps.Equal(got, before) {
		t.Errorf("the repository is now %v", got)
	}
}
