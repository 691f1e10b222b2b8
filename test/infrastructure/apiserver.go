package infrastructure

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
)

// assetsVariable tells unit tests where kube-apiserver and etcd are; it is the one
// of controller-runtime's envtest.
const assetsVariable = "KUBEBUILDER_ASSETS"

// UnitEnvironment is what the unit tests find in their environment besides the
// usual: the programs of a real API server, if an engine holds the node image that
// has them. It says which API servers the tests will have, and makes no image.
func UnitEnvironment(ctx context.Context) ([]string, error) {
	if folder := os.Getenv(assetsVariable); folder != "" {
		fmt.Printf("API server of the unit tests: the programs in %s\n", folder)
		return nil, nil
	}
	root, err := findRoot()
	if err != nil {
		return nil, tell(err)
	}
	runner := command.Exec{}
	found, err := engine.Detect(ctx, runner, os.Getenv("CONTAINER_ENGINE"))
	if errors.Is(err, engine.ErrNone) {
		fmt.Println("API server of the unit tests: a fake client alone, since no container engine is reachable")
		return nil, nil
	}
	if err != nil {
		return nil, tell(err)
	}
	folder, node, err := offline.ControlPlane(ctx, offline.Options{Root: root, Engine: found, Runner: runner})
	switch {
	case errors.Is(err, offline.ErrNoNodeImage):
		fmt.Printf("API server of the unit tests: a fake client alone, since %v; `mage build` makes it\n", err)
		return nil, nil
	case err != nil:
		return nil, tell(fault.With(err, "mend that, or set "+assetsVariable+" to a folder with kube-apiserver and etcd"))
	}
	fmt.Printf("API server of the unit tests: kube-apiserver and etcd of %s\n", node)
	return []string{assetsVariable + "=" + folder}, nil
}
