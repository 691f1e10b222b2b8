package gateway

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// How long a spec waits for something at most. A budget is an upper bound that
// only a failure ever uses up, so it is generous: the machines that run the specs
// are shared, and services there are slowed down by coverage counters.
const (
	// answerBudget is for one HTTP answer of a service.
	answerBudget = 15 * time.Second
	// auditBudget is for an audit event to become readable in DataStorage. The
	// Gateway sends its events every second.
	auditBudget = 20 * time.Second
	// settleBudget is for the cluster to act on something it was told, such as a
	// role binding or a terminated pod leaving the list.
	settleBudget = 30 * time.Second
	// rolloutBudget is for pods to stop and others to become ready. A service may
	// take 45 s to stop.
	rolloutBudget = 90 * time.Second
	// drainBudget is for the audit events of an outage to reach DataStorage's table.
	drainBudget = 60 * time.Second
	// outage is how long a store is away, longOutage how long DataStorage is.
	outage     = 20 * time.Second
	longOutage = 30 * time.Second
	// specBudget bounds a whole spec, serialBudget one that starts or stops something.
	specBudget   = 60 * time.Second
	serialBudget = 4 * time.Minute

	// quiet is how long nothing may happen to be believed: twice the time in which
	// the Gateway sends its audit events.
	quiet = 2 * time.Second
	// poll is the time between two looks of Eventually and Consistently.
	poll = 100 * time.Millisecond
)

// Specs that mostly wait start before all others, which then fill their pauses: the
// suite ends when its last spec does.
const (
	longest = SpecPriority(2)
	long    = SpecPriority(1)
)

// entry is an Entry of a table whose spec has the budget of a spec. Ginkgo takes
// the budget on entries only, not on the table.
func entry(description string, parameters ...any) TableEntry {
	return Entry(description, append([]any{types.NewCodeLocation(1), SpecTimeout(specBudget)}, parameters...)...)
}
