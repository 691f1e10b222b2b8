package hybrid

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hybrid-e2e/hybrid/hybrid/cluster"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// What a checkout does about clusters when no run is at work in it.

// inventory knows the clusters of the checkout, and says in a remark what it cannot
// know; the remark is empty for nothing.
func inventory(o Options) (v cluster.Inventory, remark string) {
	leases, err := cluster.OpenLeases(o.Leases)
	if err != nil {
		remark = fmt.Sprintf("clusters are known in their own checkout only: %v", err)
	}
	return cluster.Inventory{Checkout: o.Root, Leases: leases, Runner: o.Runner, Now: o.Now}, remark
}

// Down deletes the clusters of the checkout, kept ones too, and tells about each. With
// all, it also deletes those of the user's other checkouts that nobody has a claim to
// any more, and names the others. The remark says what could not be known.
func Down(ctx context.Context, o Options, all bool) (done []cluster.Outcome, remark string, err error) {
	o = o.withDefaults()
	if err := os.MkdirAll(filepath.Join(o.Root, cluster.StateFolder), 0o755); err != nil {
		return nil, "", err
	}
	lock, err := cluster.Lock(o.Root)
	if errors.Is(err, cluster.ErrBusy) {
		err = fault.With(cluster.ErrBusy, "mage status shows its process; let it end, or stop it with Ctrl-C, then mage down")
	}
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = lock.Unlock() }() // The process ends soon, which unlocks as well.
	v, remark := inventory(o)
	done, err = v.Down(ctx, all, o.Out)
	return done, remark, fault.With(err, "mage status")
}

// Status tells of the clusters of the checkout and of the user's other checkouts.
// What could be found out is told even when there is an error.
func Status(ctx context.Context, o Options) (list []cluster.Status, remark string, err error) {
	o = o.withDefaults()
	v, remark := inventory(o)
	list, err = v.Status(ctx)
	return list, remark, fault.With(err, "mage doctor")
}
