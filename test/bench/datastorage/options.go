package datastorage

import (
	"fmt"
	"strconv"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

const (
	// batchSize is the most that a batch may hold.
	batchSize = 1000
	// connections is how many clients write or ask at the same time. Two processors
	// have no use for more.
	connections = 4
	// askers is how many clients ask at the same time: what is measured is the time of
	// a query, not the queue for the processors.
	askers = 2
	// singles is how long events are written one by one, for comparison.
	singles = 10 * time.Second
	// queued is how many events wait in the queue before it is replayed.
	queued = 40_000
	// queries is how many queries of each kind are asked.
	queries = 2000
)

// The targets, on two processors that also run the cluster and the load generator.
const (
	leastBatch  = 5000.0 // events per second
	leastReplay = 2000.0
	// A correlation is what a person waits for; a filtered page counts what it
	// leaves out.
	mostCorrelation = 20 * time.Millisecond
	mostPage        = 100 * time.Millisecond
	// mostMemory leaves a fifth of the container's 256 MiB.
	mostMemory = 205.0
)

// rowsFrom reads how many rows the table is filled with: BENCH_ROWS, a million unless
// it is set.
func rowsFrom(getenv func(string) string) (int, error) {
	text := getenv("BENCH_ROWS")
	if text == "" {
		return 1_000_000, nil
	}
	rows, err := strconv.Atoi(text)
	if err != nil || rows < 10*batchSize || rows > 10_000_000 || rows%batchSize != 0 {
		return 0, fault.With(fmt.Errorf("BENCH_ROWS=%q: want a multiple of %d from %d to 10000000", text, batchSize, 10*batchSize),
			"mend the environment variable named above")
	}
	return rows, nil
}
