package offline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoNodeImage says that the engine does not hold the stand-in node image.
var ErrNoNodeImage = errors.New("the engine does not hold the local node image")

// nodeProgram is where a node has the program that is all components of
// Kubernetes, each by the name it is called by.
const nodeProgram = "/usr/bin/kubernetes"

// ControlPlane gives a folder with the programs of the stand-in node image that
// make an API server without a cluster: kube-apiserver, etcd and kubectl, as tests
// look for them under KUBEBUILDER_ASSETS. It takes them out of the image of the
// returned reference once (183 MB, 1 s) and makes no image: without one the error
// is ErrNoNodeImage. Options.Source and Transport are not used.
func ControlPlane(ctx context.Context, o Options) (folder, node string, err error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	cache := o.Work
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", "", fmt.Errorf("find a folder for the programs of the API server: %w", err)
		}
		cache = filepath.Join(user, "hybrid", "control-plane")
	}
	m, err := newMaker(ctx, o)
	if err != nil {
		return "", "", fmt.Errorf("name the local node image: %w", err)
	}
	folder, err = m.controlPlane(ctx, cache)
	return folder, m.node.ref, err
}

func (m *maker) controlPlane(ctx context.Context, cache string) (string, error) {
	held, err := m.Engine.HasImage(ctx, m.node.ref)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil || !held: // The client fails, too, when the image is missing.
		return "", fmt.Errorf("%w %s", ErrNoNodeImage, m.node.ref)
	}
	folder := filepath.Join(cache, m.node.ref[strings.LastIndex(m.node.ref, ":")+1:])
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := m.extract(ctx, folder); err != nil {
		return "", fmt.Errorf("take the API server out of %s: %w", m.node.ref, err)
	}
	return folder, nil
}

// extract fills the folder and moves it into place at once.
func (m *maker) extract(ctx context.Context, folder string) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(folder), "partial-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(partial) }()
	if err := m.copyProgram(ctx, filepath.Join(partial, "kubernetes")); err != nil {
		return err
	}
	for _, name := range []string{"kube-apiserver", "etcd", "kubectl"} {
		if err := os.Symlink("kubernetes", filepath.Join(partial, name)); err != nil {
			return err
		}
	}
	// Another run may have been first; its result is the same.
	if err := os.Rename(partial, folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// copyProgram prints the program instead of copying it out of a container: that
// follows the link into the containerd store with every engine, and leaves no
// container behind.
func (m *maker) copyProgram(ctx context.Context, path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	c := m.Engine.Command(nil, "run", "--rm", "--network", "none", "--entrypoint", "/bin/cat", m.node.ref, nodeProgram)
	c.Stdout = file
	_, err = m.Engine.Runner.Run(ctx, c)
	return errors.Join(err, file.Close())
}
