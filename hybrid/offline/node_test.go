package offline

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

func TestCompile(t *testing.T) {
	m, _ := testMaker(t, nil)
	m.Transport = map[string]string{"GOPROXY": "https://proxy.example", "GOSUMDB": ""}
	m.goroot, m.apt.caBundle = filepath.Join(t.TempDir(), "go"), filepath.Join(t.TempDir(), "bundle.pem")
	write := func(path, content string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"VERSION", "bin/go", "go.env", "lib/time", "pkg/tool", "src/fmt.go", "test/large"} {
		write(filepath.Join(m.goroot, name), name)
	}
	write(m.apt.caBundle, "the bundle")
	var seen command.Command
	var files []string
	m.Engine.Runner = runner(func(_ context.Context, c command.Command) ([]byte, error) {
		seen = c
		sources := c.Args[len(c.Args)-1]
		err := filepath.WalkDir(sources, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.Contains(path, "netes/") && !strings.Contains(path, "containerd/") {
				files = append(files, strings.TrimPrefix(path, sources))
			}
			return err
		})
		return nil, errors.Join(err, os.MkdirAll(filepath.Join(filepath.Dir(sources), "out"), 0o755))
	})
	compile := func() {
		t.Helper()
		if err := (task.Group{Phase: "images"}).Run(t.Context(), m.compileTask()); err != nil {
			t.Fatal(err)
		}
	}
	compile()
	line := regexp.MustCompile(`\S+/programs-\d+/`).ReplaceAllString(strings.ReplaceAll(seen.String(), "dest="+m.Work, "dest= "+m.Work), "DIR/")
	want := "docker build --file " + m.Root + "/docker/node/programs.Dockerfile --output type=local,dest= DIR/out --progress plain --network host " +
		"--build-arg GOPROXY=https://proxy.example DIR/context"
	if line != want {
		t.Errorf("compiled by\n%s\nwant\n%s", line, want)
	}
	wantFiles := "/certs/ca-certificates.crt /go/VERSION /go/bin/go /go/go.env /go/lib/time /go/pkg/tool /go/src/fmt.go"
	if got := strings.Join(files, " "); got != wantFiles {
		t.Errorf("context %s, want %s", got, wantFiles)
	}
	seen = command.Command{}
	compile()
	if seen.Args != nil {
		t.Errorf("compiled again by %s", seen)
	}
}

func TestCompilerLogNumbersPackages(t *testing.T) {
	var out strings.Builder
	l := &compilerLog{to: &out}
	for _, part := range []string{"#7 1.25 go: downloading x v1\n#7 1.3 k8s.io/a", "pi/core\n\nk8s.io/b\n#7 DONE 2.0s\n", "unfinished"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	want := "#7 1.25 go: downloading x v1\n1 packages compiled, now k8s.io/api/core\n\n2 packages compiled, now k8s.io/b\n#7 DONE 2.0s\n"
	if out.String() != want {
		t.Errorf("log\n%s\nwant\n%s", out.String(), want)
	}
}

// runner is a command.Runner made of a function.
type runner func(context.Context, command.Command) ([]byte, error)

func (r runner) Run(ctx context.Context, c command.Command) ([]byte, error) { return r(ctx, c) }

func archiveFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "images.tar")
	if err := os.WriteFile(path, []byte("the archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// anonymous hides the random end of the container's name.
func anonymous(calls []string) []string {
	name := regexp.MustCompile(`hybrid-node-import-\w+`)
	for i := range calls {
		calls[i] = name.ReplaceAllString(calls[i], "NAME")
	}
	return calls
}

func TestImportAndCommit(t *testing.T) {
	m, r := testMaker(t, map[string]command.Reply{
		"docker run": {}, "docker commit": {}, "docker rm": {}, "docker image rm": {},
	})
	if err := m.importAndCommit(t.Context(), io.Discard, "unpacked:1", archiveFile(t)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"docker run --name NAME --privileged --network none --interactive --mount type=volume,destination=/store " +
			"--entrypoint /bin/sh unpacked:1 -c 'sh /kind/stand-in/import.sh && rm -r /run/import'",
		`docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' --change 'CMD []' NAME ` + m.node.ref,
		"docker rm --force --volumes NAME",
		"docker image rm --no-prune unpacked:1",
	}
	if got := anonymous(r.Calls()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("calls\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := r.Stdin()[0]; got != "the archive" {
		t.Errorf("the container was given %q", got)
	}
}

// An interruption in the middle must leave neither container nor volume.
func TestInterruptedImportCleansUp(t *testing.T) {
	m, r := testMaker(t, map[string]command.Reply{"docker rm": {}, "docker image rm": {}})
	stop := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	m.Engine = &engine.Engine{CLI: "docker", Runner: runner(func(ctx context.Context, c command.Command) ([]byte, error) {
		if c.Args[1] == "run" {
			cancel(stop)
			return nil, context.Cause(ctx)
		}
		return r.Run(ctx, c)
	})}
	err := m.importAndCommit(ctx, io.Discard, "unpacked:1", archiveFile(t))
	if !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
	want := "docker rm --force --volumes NAME\ndocker image rm --no-prune unpacked:1"
	if got := strings.Join(anonymous(r.Calls()), "\n"); got != want {
		t.Errorf("calls\n%s\nwant\n%s", got, want)
	}
}

func TestKindSources(t *testing.T) {
	m, r := testMaker(t, map[string]command.Reply{
		"go mod download -json sigs.k8s.io/kind@" + KindVersion: {Stdout: `{"Path":"sigs.k8s.io/kind","Dir":"/mod/kind"}`},
	})
	dir, err := m.kindSources(t.Context())
	if err != nil || dir != "/mod/kind" || len(r.Calls()) != 1 {
		t.Errorf("folder %q, error %v, calls %q", dir, err, r.Calls())
	}
}

// TestContainerdOnCgroupV1 runs what the node's containerd is preceded by, against the
// configuration that the node image has, on a machine with either version of cgroups.
func TestContainerdOnCgroupV1(t *testing.T) {
	etc := filepath.Join(repo, nodeFolder, "files", "etc")
	unit, err := os.ReadFile(filepath.Join(etc, "systemd", "system", "containerd.service.d", "cgroup-v1.conf"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(etc, "containerd", "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	step := regexp.MustCompile(`(?m)^ExecStartPre=/bin/sh -c '([^']+)'$`).FindSubmatch(unit)
	if step == nil {
		t.Fatalf("no shell step in\n%s", unit)
	}
	const bySystemd, byKubelet = "SystemdCgroup = true", "SystemdCgroup = false"
	for v2, want := range map[bool]string{
		true:  string(config),
		false: strings.ReplaceAll(string(config), bySystemd, byKubelet),
	} {
		dir := t.TempDir()
		file, controllers := filepath.Join(dir, "config.toml"), filepath.Join(dir, "cgroup.controllers")
		if err := os.WriteFile(file, config, 0o600); err != nil {
			t.Fatal(err)
		}
		if v2 {
			if err := os.WriteFile(controllers, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		script := strings.NewReplacer("/etc/containerd/config.toml", file, "/sys/fs/cgroup/cgroup.controllers", controllers).Replace(string(step[1]))
		for range 2 { // A node that is started again has the step again.
			if out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", script, err, out)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want || !v2 && strings.Count(want, byKubelet) != 1 {
			t.Errorf("with cgroup v2 %t containerd has\n%s", v2, got)
		}
	}
}
