package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Port is a NodePort and the port on 127.0.0.1 that leads to it.
type Port struct {
	Name string `json:"name"`
	Node int32  `json:"node"`
	// Host is chosen free at creation; zero before.
	Host int32 `json:"host"`
}

// Config is what decides how a cluster is made. Two equal configurations give
// interchangeable clusters.
type Config struct {
	// Name is the cluster's exact name.
	Name string `json:"name"`
	// NodeImage is the full reference of the node image.
	NodeImage string `json:"node_image"`
	// Workers is the number of nodes beside the control plane.
	Workers int `json:"workers"`
	// Ports are mapped from 127.0.0.1.
	Ports []Port `json:"ports"`
	// CoverData is the host folder mounted into every node under
	// coverage.Path; empty mounts nothing.
	CoverData string `json:"coverdata"`
}

// equal compares what was asked for; host ports are an outcome and ignored.
func (c Config) equal(other Config) bool {
	return c.fingerprint() == other.fingerprint()
}

func (c Config) fingerprint() string {
	ports := make([]Port, len(c.Ports))
	for i, p := range c.Ports {
		ports[i] = Port{Name: p.Name, Node: p.Node}
	}
	c.Ports = ports
	b, err := json.Marshal(c)
	if err != nil {
		return err.Error() // a struct of strings and numbers always marshals
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Record says who owns a cluster. It is kept beside the cluster's kubeconfig, so
// that a later run finds what an earlier one left, also after SIGKILL.
type Record struct {
	Config Config `json:"config"`
	// Engine is docker or podman.
	Engine string `json:"engine"`
	// Owner is the process id of the run that made the cluster.
	Owner int `json:"owner"`
	// Started is when its creation began.
	Started time.Time `json:"started"`
	// Ready says that creation ended and every proof succeeded.
	Ready bool `json:"ready"`
	// Keep says that the cluster outlives its run on purpose.
	Keep bool `json:"keep"`
}

// orphaned tells whether the run that made the cluster has died without
// deleting it.
func (r Record) orphaned() bool {
	if r.Keep && r.Ready {
		return false
	}
	err := syscall.Kill(r.Owner, 0)
	return errors.Is(err, syscall.ESRCH) || r.Owner == os.Getpid()
}

// Name makes the name of a suite's cluster in one checkout: two checkouts never
// share a name.
func Name(suite, checkout string) string {
	sum := sha256.Sum256([]byte(checkout))
	return suite + "-e2e-" + hex.EncodeToString(sum[:4])
}

const recordFile = "cluster.json"

func (r Record) save(dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, recordFile+".new")
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("record the cluster: %w", err)
	}
	return os.Rename(tmp, filepath.Join(dir, recordFile))
}

// readRecord returns nil without error when there is no record.
func readRecord(dir string) (*Record, error) {
	b, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, recordFile), err)
	}
	return &r, nil
}
