package speed

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

func TestCheckoutHoldsWhatGitKnows(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{"a/b.go": "package b", "ignored": "x", ".gitignore": "ignored\n"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a/b.go", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "git", "-C", root, "init", "--quiet").CombinedOutput(); err != nil {
		t.Fatal(string(out), err)
	}
	s := &stage{root: root, state: t.TempDir(), log: io.Discard}
	dir, remove, err := s.checkout(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "link")); err != nil || string(got) != "package b" {
		t.Errorf("link leads to %q, %v", got, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "ignored")); !os.IsNotExist(err) {
		t.Errorf("an ignored file was copied: %v", err)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the copy is still there: %v", err)
	}
}

func TestScenariosDecideWhatIsBuilt(t *testing.T) {
	for _, c := range []struct {
		scenario string
		noCache  bool
		changed  bool
	}{{scenarioUnchanged, false, false}, {scenarioChange, false, true}, {scenarioEpoch, true, false}} {
		r := &command.Recorder{Replies: map[string]command.Reply{"docker build": {}}}
		checkout := t.TempDir()
		if err := os.MkdirAll(filepath.Join(checkout, "pkg", "gateway", "config"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"d": "RUN --mount=type=cache,id=m,target=/m true\n", "d.dockerignore": "*\n"} {
			if err := os.WriteFile(filepath.Join(checkout, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := &stage{engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}, buildArgs: map[string]string{"BASE": "b:1"}, state: t.TempDir()}
		p := s.peer("script", checkout, c.scenario)
		epoch, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.build(t.Context(), io.Discard, hybrid.Image{Name: "gateway", Dockerfile: "d"}, epoch); err != nil {
			t.Fatal(err)
		}
		file, wantText := filepath.Join(checkout, "d"), "RUN --mount=type=cache,id=m,target=/m true\n"
		if c.noCache {
			file, wantText = filepath.Join(s.state, "script-d"), "RUN --mount=type=cache,id=bench-m,target=/m true\n"
		}
		if text, err := os.ReadFile(file); err != nil || string(text) != wantText {
			t.Errorf("%s: Dockerfile %q, %v", c.scenario, text, err)
		}
		if text, err := os.ReadFile(file + ".dockerignore"); err != nil || string(text) != "*\n" {
			t.Errorf("%s: ignored are %q, %v", c.scenario, text, err)
		}
		call := r.Calls()[0]
		want := "docker build --file " + file + " --tag hybrid.local/gateway:bench-script --progress plain --network host "
		if !strings.HasPrefix(call, want) || !strings.HasSuffix(call, "--build-arg BASE=b:1 --build-arg COVERAGE=0 --build-arg UPDATE_EPOCH="+epoch+" "+checkout) {
			t.Errorf("%s: %s", c.scenario, call)
		}
		if got := strings.Contains(call, "--no-cache"); got != c.noCache {
			t.Errorf("%s: without cache %t", c.scenario, got)
		}
		if _, err := os.Stat(filepath.Join(checkout, "pkg", "gateway", "config", "round.go")); (err == nil) != c.changed {
			t.Errorf("%s: the change is there: %v", c.scenario, err)
		}
	}
}

func TestImagesAreBuiltInTheSuitesOrder(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{"docker build": {}}}
	s := &stage{engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}}
	p := s.peer("framework", "/c", scenarioUnchanged)
	p.suite.Images = []hybrid.Image{{Name: "redis", Dockerfile: "r"}, {Name: "gateway", Dockerfile: "g"}}
	if err := p.buildAll(t.Context(), io.Discard, "2026-11-25"); err != nil {
		t.Fatal(err)
	}
	const build = "docker build --file /c/%s --tag hybrid.local/%s:bench-framework --progress plain --network host" +
		" --build-arg COVERAGE=0 --build-arg UPDATE_EPOCH=2026-11-25 /c"
	want := []string{fmt.Sprintf(build, "r", "redis"), fmt.Sprintf(build, "g", "gateway")}
	if !slices.Equal(r.Calls(), want) {
		t.Errorf("calls %q, want %q", r.Calls(), want)
	}
}

func TestImagesThatThereAreAreForgotten(t *testing.T) {
	const gateway, redis = "hybrid.local/gateway:bench-script", "hybrid.local/redis:bench-script"
	for _, c := range []struct {
		present string
		want    []string
	}{
		{`[{"RepoTags": ["` + redis + `"]}, {"RepoTags": ["` + gateway + `"]}]`, []string{"docker image rm --no-prune " + gateway + " " + redis}},
		{`[{"RepoTags": ["` + redis + `"]}]`, []string{"docker image rm --no-prune " + redis}},
		{`[]`, nil},
	} {
		r := &command.Recorder{Replies: map[string]command.Reply{"docker image inspect": {Stdout: c.present}, "docker image rm": {}}}
		s := &stage{engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}}
		p := s.peer("script", "/c", scenarioUnchanged)
		p.suite.Images = []hybrid.Image{{Name: "redis"}, {Name: "gateway"}}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.forget(cancelled); err != nil {
			t.Fatal(err)
		}
		if want := append([]string{"docker image inspect " + redis + " " + gateway}, c.want...); !slices.Equal(r.Calls(), want) {
			t.Errorf("calls %q, want %q", r.Calls(), want)
		}
	}
}

func TestEndpointsLeadToNodePorts(t *testing.T) {
	p := (&stage{}).peer("framework", "", scenarioUnchanged)
	p.suite.Endpoints = []hybrid.Endpoint{{Name: "metrics", NodePort: 30090}, {Name: "api", NodePort: 30080, Path: "/ready"}}
	mappings, urls, err := p.endpoints(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(mappings) != 2 || mappings[0].ContainerPort != 30090 || mappings[1].ContainerPort != 30080 || mappings[1].ListenAddress != "127.0.0.1" {
		t.Errorf("mappings %+v", mappings)
	}
	if want := []string{fmt.Sprintf("http://127.0.0.1:%d/ready", mappings[1].HostPort)}; !slices.Equal(urls, want) {
		t.Errorf("URLs %q, want %q", urls, want)
	}
}

func TestApplyNamesThePeersImages(t *testing.T) {
	r := &command.Recorder{Replies: map[string]command.Reply{"docker exec": {}}}
	checkout := t.TempDir()
	for name, text := range map[string]string{"b.yaml": "image: hybrid.local/redis\nother: 1", "a.yaml": "image: elsewhere/redis", "c.txt": "no"} {
		if err := os.WriteFile(filepath.Join(checkout, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &stage{engine: &engine.Engine{Kind: engine.Docker, CLI: "docker", Runner: r}}
	k := kubectl{peer: s.peer("script", checkout, scenarioUnchanged), node: "n", log: io.Discard}
	if err := k.apply(t.Context(), "."); err != nil {
		t.Fatal(err)
	}
	want := []string{"image: elsewhere/redis\n---\nimage: hybrid.local/redis:bench-script\nother: 1"}
	if !slices.Equal(r.Stdin(), want) {
		t.Errorf("applied %q, want %q", r.Stdin(), want)
	}
}
