package cluster

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// StateFolder is the folder of a checkout that holds the state of its suites, a
// folder for each, and the lock.
const StateFolder = ".hybrid"

// ErrBusy says that a run is at work in a checkout.
var ErrBusy = errors.New("another run is at work in this checkout")

// Lock takes a checkout: two runs in one would share the cluster's name and mage's
// generated files. The error is ErrBusy when another process has it. The lock ends
// with the process, however that ends.
func Lock(checkout string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(checkout, StateFolder, "lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the checkout: %w", err)
	}
	if !ok {
		return nil, fault.With(ErrBusy, "wait for it to end, or run in a second checkout")
	}
	return lock, nil
}
