package fullpipeline

import "time"

const (
	// setUpBudget is for building images, a cluster and everything in it, on a
	// machine that has none of them yet.
	setUpBudget = 45 * time.Minute
	// tearDownBudget is for stopping the services, collecting their coverage and deleting the
	// cluster.
	tearDownBudget = 10 * time.Minute
	// specBudget bounds a spec, settleBudget what it waits for. Only a failure uses them
	// up, so they are generous: machines are shared.
	specBudget   = 60 * time.Second
	settleBudget = 30 * time.Second
	// serialBudget bounds a spec that starts or stops something, outageBudget the wait for
	// events: after an outage the pause between two attempts grows up to 30 s.
	serialBudget = 4 * time.Minute
	outageBudget = 60 * time.Second
	// quiet is how long nothing may happen to be believed.
	quiet = 2 * time.Second
)
