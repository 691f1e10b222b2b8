package datastorage

import (
	"context"
	"sync"
	"time"
)

// Memory is the resident memory of DataStorage in MiB.
type Memory struct {
	Start float64 `json:"start"`
	Peak  float64 `json:"peak"`
	End   float64 `json:"end"`
}

// observe samples the memory each second until the function that it returns is called.
func (c client) observe(ctx context.Context) (done func() Memory) {
	ctx, cancel := context.WithCancel(ctx)
	var all []float64
	take := func(ctx context.Context) {
		// A sample that is missing is no reason to end a measurement.
		if values, err := c.gauges(ctx, "process_resident_memory_bytes"); err == nil {
			all = append(all, values[0]/(1<<20))
		}
	}
	take(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				take(ctx)
			}
		}
	})
	return func() Memory {
		cancel()
		running.Wait()
		take(context.WithoutCancel(ctx))
		var m Memory
		for i, value := range all {
			if i == 0 {
				m.Start = value
			}
			m.Peak, m.End = max(m.Peak, value), value
		}
		return m
	}
}
