package targets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/process"
	"github.com/hybrid-e2e/hybrid/hybrid/progress"
)

const (
	// file is where a repository declares its suite: a hybrid.Suite as YAML.
	file = "hybrid.yaml"
	// module is that of Hybrid.
	module = "github.com/hybrid-e2e/hybrid"
	// makesStandIns is there in every folder that can make stand-ins for images. Module
	// proxies leave it out of Hybrid, since it is a module of its own.
	makesStandIns = "docker/node/kubernetes/go.mod"
)

// declared reads the suite and the options of a run. An error has been printed.
func declared(ctx context.Context) (hybrid.Suite, hybrid.Options, error) {
	o, err := options()
	if err != nil {
		return hybrid.Suite{}, o, err
	}
	suite, err := read(o.Root)
	if err != nil {
		return suite, o, told(fault.With(err, "mend "+file+", then the same command again"))
	}
	o.StandIns, err = standIns(ctx, command.Exec{}, o.Root)
	return suite, o, told(err)
}

// options are those of the environment, for the repository in the working folder, which
// is where mage starts targets. An error has been printed.
func options() (hybrid.Options, error) {
	// Ending mage is to end what it has compiled and started; where that is not to be
	// had the run ends by itself.
	_ = process.EndWithParent()
	root, err := os.Getwd()
	if err != nil {
		return hybrid.Options{}, told(err)
	}
	o, err := hybrid.OptionsFrom(root, os.Getenv, os.Stdout)
	o.Again = "mage e2e"
	return o, told(err)
}

// read gives the suite that the file of the repository declares. Every mistake is an
// error that names the file: keys that are unknown or stand twice, and all that
// hybrid.Suite.Validate finds.
func read(root string) (hybrid.Suite, error) {
	var suite hybrid.Suite
	content, err := os.ReadFile(filepath.Join(root, file))
	if errors.Is(err, fs.ErrNotExist) {
		return suite, fmt.Errorf("%s declares no suite: there is no %s", root, file)
	}
	if err == nil {
		err = yaml.UnmarshalStrict(content, &suite)
	}
	if err == nil {
		err = suite.Validate(root)
	}
	if err != nil {
		return suite, fmt.Errorf("%s: %w", file, err)
	}
	return suite, nil
}

// standIns is the repository that can make stand-ins for base images: this one, else
// Hybrid's own when its sources are on the machine. It is empty for none; registries are
// the only source then.
func standIns(ctx context.Context, r command.Runner, root string) (string, error) {
	if holdsStandIns(root) {
		return root, nil
	}
	out, err := r.Run(ctx, command.Command{Args: []string{"go", "list", "-m", "-f", "{{.Dir}}", module}, Dir: root})
	if err != nil {
		return "", fault.With(fmt.Errorf("find the sources of Hybrid: %w", err), "go mod tidy")
	}
	if folder := strings.TrimSpace(string(out)); holdsStandIns(folder) {
		return folder, nil
	}
	return "", nil
}

func holdsStandIns(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, makesStandIns))
	return err == nil
}

// told prints err, and returns it.
func told(err error) error { return progress.Tell(os.Stdout, os.Getenv, err) }
