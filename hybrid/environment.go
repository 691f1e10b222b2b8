package hybrid

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/hybrid-e2e/hybrid/hybrid/delivery"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// EnvironmentVariable names the environment variable that tells specs where the
// file with their Environment is.
const EnvironmentVariable = delivery.EnvironmentVariable

// Environment is what a ready cluster offers to the specs. The pipeline writes
// it as one JSON file.
type Environment struct {
	// Run is the run id; Suite the suite's name.
	Run   string `json:"run"`
	Suite string `json:"suite"`
	// Kubeconfig is the absolute path of the cluster's own kubeconfig.
	Kubeconfig string `json:"kubeconfig"`
	// Namespace is where stores and services run.
	Namespace string `json:"namespace"`
	// Artifacts is the absolute path of the run's folder.
	Artifacts string `json:"artifacts"`
	// Kept says that the cluster outlives the run: specs remove what they have made.
	Kept bool `json:"kept"`
	// Coverage says that the services are instrumented.
	Coverage bool `json:"coverage"`
	// Endpoints maps endpoint names to base URLs: on 127.0.0.1 in a cluster of the run's
	// own.
	Endpoints map[string]string `json:"endpoints"`
	// Node is the address at which specs reach NodePorts of their own, whose numbers the
	// cluster gives. Empty where this machine does not reach nodes at their addresses:
	// there the spare endpoints have numbers, and are among Endpoints.
	Node string `json:"node,omitempty"`
	// Suffix ends the names of the suite's ClusterRoles and the like in a cluster that
	// others use too; empty in one of the run's own.
	Suffix string `json:"suffix,omitempty"`
	// Labels are to be on the namespaces and cluster-wide objects that specs make, so that
	// they are found when the run was killed; none in a cluster of the run's own.
	Labels map[string]string `json:"labels,omitempty"`
	// Images maps image names to the references deployed.
	Images map[string]string `json:"images"`
}

// LoadEnvironment reads the file that the pipeline wrote.
func LoadEnvironment(path string) (Environment, error) {
	var e Environment
	b, err := os.ReadFile(path)
	if err != nil {
		return e, fault.With(fmt.Errorf("read the environment of the specs: %w", err), "mage deploy")
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fault.With(fmt.Errorf("read the environment of the specs in %s: %w", path, err), "mage deploy")
	}
	return e, nil
}

// Own is the name of a ClusterRole or the like of the suite's manifests in this cluster.
func (e Environment) Own(name string) string { return name + e.Suffix }

// text is the content of the file.
func (e Environment) text() ([]byte, error) {
	b, err := json.MarshalIndent(e, "", "  ")
	return append(b, '\n'), err
}

func (e Environment) save(path string) error {
	b, err := e.text()
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
