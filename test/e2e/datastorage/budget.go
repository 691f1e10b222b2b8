package datastorage

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// How long a spec waits for something at most. A budget is an upper bound that only a
// failure ever uses up, so it is generous: the machines that run the specs are shared,
// and services there are slowed down by coverage counters.
const (
	// settleBudget is for a service to notice something, such as a store that is back.
	settleBudget = 60 * time.Second
	// drainBudget is for the queue of an outage to reach the table.
	drainBudget = 90 * time.Second
	// specBudget bounds a spec on the shared system, faultBudget one with an instance
	// of its own.
	specBudget  = 60 * time.Second
	faultBudget = 5 * time.Minute

	// quiet is how long nothing may happen to be believed: three times the interval
	// at which the queue is looked at.
	quiet = 3 * time.Second
	// poll is the time between two looks over HTTP, look the one between two commands
	// in a container.
	poll = 100 * time.Millisecond
	look = 500 * time.Millisecond
)

// first is for specs that mostly wait: they start before all others, which then fill
// their pauses. The suite ends when its last spec does.
const first = SpecPriority(1)

// entry is an Entry of a table whose spec has the budget of a spec. Ginkgo takes the
// budget on entries only, not on the table.
func entry(description string, parameters ...any) TableEntry {
	return Entry(description, append([]any{types.NewCodeLocation(1), SpecTimeout(specBudget)}, parameters...)...)
}
