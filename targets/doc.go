// Package targets owns the mage targets of a repository that declares its suite in a file,
// hybrid.yaml. A magefile has them all by importing the package:
//
//	//mage:import
//	import _ "github.com/hybrid-e2e/hybrid/targets"
//
// Every exported function is a target, and there is nothing else. What each does follows
// from the file and from environment variables alone. The phases take the run from its
// start, each in one function: they share no state, so that a magefile may call them as
// often and in the order that it likes. A repository with several suites, or with a suite
// that is computed, calls package hybrid itself.
package targets
