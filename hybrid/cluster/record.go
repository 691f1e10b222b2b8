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
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/process"
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
	// APIServer is the port on 127.0.0.1 that leads to the API server, chosen free at
	// creation; zero before.
	APIServer int32 `json:"api_server"`
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
	c.Ports, c.APIServer = ports, 0
	b, err := json.Marshal(c)
	if err != nil {
		return err.Error() // a struct of strings and numbers always marshals
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Node is a container that is a node of a cluster.
type Node struct {
	Name string `json:"name"`
	// ID is the engine's, in full.
	ID string `json:"id"`
}

// Record says whose a cluster is. It is kept beside the cluster's kubeconfig, so
// that a later run finds what an earlier one left, also after SIGKILL; a copy of it,
// the lease, lies where all checkouts of the user are found.
type Record struct {
	Config Config `json:"config"`
	// Suite is the suite for which the cluster was made. Records of earlier
	// versions name none, no checkout, no nodes, no owner and no end.
	Suite string `json:"suite,omitempty"`
	// Checkout is the absolute path of the repository, State that of the folder with
	// the record and the kubeconfig.
	Checkout string `json:"checkout,omitempty"`
	State    string `json:"state,omitempty"`
	// Engine is the kind of the engine that runs it.
	Engine string `json:"engine"`
	// Nodes are the containers; empty until all have been created.
	Nodes []Node `json:"nodes,omitempty"`
	// Owner is the run that made the cluster, or that reused it last.
	Owner process.Identity `json:"owner_process,omitzero"`
	// Started is when its creation began, LastUsed when a run used it last.
	Started  time.Time `json:"started"`
	LastUsed time.Time `json:"last_used,omitzero"`
	// Expires is when a kept cluster may be removed by anybody; zero means never.
	Expires time.Time `json:"expires,omitzero"`
	// Ready says that creation ended and every proof succeeded.
	Ready bool `json:"ready"`
	// Keep says that the cluster outlives its run on purpose.
	Keep bool `json:"keep"`
}

// Standing is what may be done with a cluster.
type Standing string

// The standings. A cluster in use belongs to a run that is alive; a kept one waits
// for the next run until it expires; an orphaned one was left by a run that is
// gone. About one from elsewhere (another machine, or a container with process ids
// of its own) nothing can be said here.
const (
	InUse     Standing = "in use"
	Kept      Standing = "kept"
	Expired   Standing = "expired"
	Orphaned  Standing = "orphaned"
	Elsewhere Standing = "elsewhere"
)

// Standing judges the cluster at a time.
func (r Record) Standing(now time.Time) Standing {
	switch {
	case r.Owner.PID != 0 && !r.Owner.Here():
		return Elsewhere
	case r.Owner.Alive():
		return InUse
	case !r.Keep || !r.Ready:
		return Orphaned
	case !r.Expires.IsZero() && now.After(r.Expires):
		return Expired
	}
	return Kept
}

// orphaned tells whether the run that made the cluster has ended without deleting
// it. It is asked under the lock of the checkout, so that no other run can be its
// owner: what this very process left, and what comes from elsewhere, count too.
func (r Record) orphaned() bool {
	if r.Keep && r.Ready {
		return false
	}
	return !r.Owner.Alive() || r.Owner == process.Self()
}

// Name makes the name of a suite's cluster in one checkout: two checkouts never
// share a name.
func Name(suite, checkout string) string {
	sum := sha256.Sum256([]byte(checkout))
	return suite + "-e2e-" + hex.EncodeToString(sum[:4])
}

const recordFile = "cluster.json"

// save writes the record and its copy. A reader sees the old one or the new one,
// never half of one.
func (r Record) save(leases Leases) error {
	if err := writeRecord(filepath.Join(r.State, recordFile), r); err != nil {
		return fmt.Errorf("record the cluster: %w", err)
	}
	return leases.put(r)
}

func writeRecord(path string, r Record) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// readRecord returns nil without error when there is no record.
func readRecord(dir string) (*Record, error) {
	return readRecordFile(filepath.Join(dir, recordFile))
}

func readRecordFile(path string) (*Record, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &r, nil
}
