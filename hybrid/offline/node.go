package offline

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// kindModule has the entrypoint and the units of a node image in its sources.
const kindModule = "sigs.k8s.io/kind"

// cleanUpTimeout bounds what is removed after an interruption.
const cleanUpTimeout = 10 * time.Second

func pinnedNode() string { return defaults.Image }

// addNodeTo puts what decides the node image, beside its files, into the key.
func (m *maker) addNodeTo(k key) {
	k.add("go", m.goVersion).add("kubernetes", KubernetesVersion).add("kind", KindVersion)
	k.add("images", sandboxImage+" "+networkImage)
}

// makeNode assembles the node image from the compiled programs.
func (m *maker) makeNode(ctx context.Context, h *task.Handle) error {
	dir, remove, err := m.scratch("node-")
	if err != nil {
		return err
	}
	defer remove()
	buildContext := filepath.Join(dir, "context")
	if err := m.stage(ctx, buildContext); err != nil {
		return fmt.Errorf("collect the parts of the node image: %w", err)
	}
	h.Status("control-plane images")
	layer, archive := filepath.Join(dir, "layer.tar"), filepath.Join(dir, "images.tar")
	if err := m.exportControlPlane(ctx, h, buildContext, layer); err != nil {
		return err
	}
	list, err := m.Runner.Run(ctx, command.Command{Args: []string{
		filepath.Join(buildContext, "bin", "kubernetes"), "kubeadm", "config", "images", "list", "--kubernetes-version", KubernetesVersion,
	}})
	if err != nil {
		return fmt.Errorf("ask kubeadm for its images: %w", err)
	}
	if err := writeArchive(archive, layer, archiveRefs(string(list))); err != nil {
		return err
	}
	h.Status("root file system")
	// A tag of this run alone: another one may be making the same image.
	unpacked := rootImage(cmp.Or(m.Mark, strings.ToLower(rand.Text())))
	err = m.Engine.Build(ctx, engine.BuildOptions{
		Dockerfile: filepath.Join(m.Root, m.node.dockerfile), Context: buildContext, Tag: unpacked,
		Args:   map[string]string{m.node.baseArg: m.node.base, "KUBERNETES_VERSION": KubernetesVersion},
		Labels: m.node.labels(), Network: "host", Log: h,
	})
	if err != nil {
		return fmt.Errorf("build the node's root file system: %w", err)
	}
	h.Status("unpacking the control plane")
	if err := m.importAndCommit(ctx, h, unpacked, archive); err != nil {
		return err
	}
	return os.RemoveAll(m.programsFolder())
}

// stage fills the build context of node.Dockerfile.
func (m *maker) stage(ctx context.Context, dir string) error {
	kind, err := m.kindSources(ctx)
	if err != nil {
		return err
	}
	for _, c := range []struct{ from, to string }{
		{m.programsFolder(), "bin"},
		{filepath.Join(kind, "images", "base", "files"), "kind"},
		{filepath.Join(m.Root, nodeFolder, "files"), "files"},
	} {
		if err := os.CopyFS(filepath.Join(dir, c.to), os.DirFS(c.from)); err != nil {
			return err
		}
	}
	return nil
}

// kindSources gives the folder of kind's sources in the module cache.
func (m *maker) kindSources(ctx context.Context) (string, error) {
	out, err := m.Runner.Run(ctx, command.Command{
		Args: []string{"go", "mod", "download", "-json", kindModule + "@" + KindVersion}, Dir: m.Root, Env: m.goEnv(),
	})
	if err != nil {
		return "", fmt.Errorf("download the sources of kind: %w", err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("read where the sources of kind are: %w", err)
	}
	return module.Dir, nil
}

// goEnv is the environment of the go command for this repository's module.
func (m *maker) goEnv() []string {
	env := []string{"GOWORK=off"}
	args := m.transport()
	for _, name := range slices.Sorted(maps.Keys(args)) {
		env = append(env, name+"="+args[name])
	}
	return env
}

// exportControlPlane writes the one layer of the control plane's images.
func (m *maker) exportControlPlane(ctx context.Context, log io.Writer, buildContext, layer string) error {
	err := m.Engine.Build(ctx, engine.BuildOptions{
		Dockerfile: filepath.Join(m.Root, m.node.dockerfile), Context: buildContext, Target: "control-plane",
		Output: "type=tar,dest=" + layer, Args: map[string]string{m.node.baseArg: m.node.base}, Log: log,
	})
	if err != nil {
		return fmt.Errorf("build the control plane's layer: %w", err)
	}
	return nil
}

// importAndCommit unpacks the archive inside a privileged container and makes
// the node image of it. The container and the intermediate tag are removed in
// every case.
func (m *maker) importAndCommit(ctx context.Context, log io.Writer, unpacked, archive string) error {
	images, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = images.Close() }() // It is only read.
	// What is left in /run podman would copy to the file system that kind mounts there.
	err = m.Engine.Bake(ctx, engine.BakeOptions{
		From: unpacked, To: m.node.ref, Shell: []string{"-c", "sh /kind/stand-in/import.sh && rm -r /run/import"}, Stdin: images, Purpose: "import", Log: log,
		Changes: NodeEntry(),
	})
	if cleanErr := m.forget(ctx, unpacked); err == nil {
		err = cleanErr
	}
	if err != nil {
		return fmt.Errorf("unpack the control plane's images: %w", err)
	}
	return nil
}

// NodeEntry are the instructions that give an image the entry of a Kind node.
func NodeEntry() []string {
	return []string{`ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]`, "CMD []"}
}

// forget removes a tag, even when ctx has ended.
func (m *maker) forget(ctx context.Context, image string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	if _, err := m.Engine.Run(ctx, nil, "image", "rm", "--no-prune", image); err != nil {
		return fmt.Errorf("remove the tag of an intermediate image: %w", err)
	}
	return nil
}
