package infrastructure

import "github.com/hybrid-e2e/hybrid/hybrid"

// All returns every suite of this repository, in the order in which they are
// listed for people.
func All() []hybrid.Suite {
	return []hybrid.Suite{Gateway(), DataStorage(), SignalProcessing(), FullPipeline()}
}
