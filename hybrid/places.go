package hybrid

import (
	"context"
	"errors"
	"os"

	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/room"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// meminfo is where Linux tells how much memory there is.
const meminfo = "/proc/meminfo"

// checkRoom finds disks and memory that are too small for the run, before anything is
// built.
func (p *Pipeline) checkRoom(ctx context.Context, h *task.Handle) error {
	if err := errors.Join(room.CheckMemory(meminfo), room.CheckClusters(meminfo, p.ownClusters())); err != nil {
		return err
	}
	places := p.places(ctx)
	if err := room.Check(places...); err != nil {
		return err
	}
	free, err := room.Free(places[0].Folder)
	if err != nil {
		return err
	}
	h.Detail("%s free for %s, at least %s needed", room.Size(free), places[0].What, room.Size(places[0].Need))
	return nil
}

// ownClusters is how many clusters the run makes on this machine at the same time.
func (p *Pipeline) ownClusters() int {
	if p.o.Existing.Named {
		return 0
	}
	return p.clusters
}

// places are the folders that the run writes to.
func (p *Pipeline) places(ctx context.Context) []room.Place {
	places := []room.Place{
		{What: "the run's artifacts", Folder: p.o.Artifacts, Need: room.Artifacts, Fix: "delete folders of earlier runs in it, or set ARTIFACTS"},
		{What: "temporary files", Folder: os.TempDir(), Need: room.Temporary, Fix: "make room there, or set TMPDIR"},
	}
	if p.engine == nil {
		return places
	}
	folder, err := p.engine.StoreFolder(ctx)
	if err != nil {
		return places // An engine that does not tell.
	}
	if _, err := os.Stat(folder); err != nil {
		return places // The engine is on another machine.
	}
	store := room.Place{
		What: "the engine's store", Folder: folder, Need: room.FromNothing,
		Fix: p.engine.Kind + " system df shows what takes room; images of " + image.Registry + "/ that no checkout needs any more may go",
	}
	if there, err := p.engine.Holds(ctx, image.Registry+"/kindest-node*"); err == nil && there {
		store.Need = room.Store
	}
	store.Need += int64(max(0, p.ownClusters()-1)) * room.ClusterStore
	return append([]room.Place{store}, places...)
}
