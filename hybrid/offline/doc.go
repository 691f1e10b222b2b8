// Package offline owns where base images and the Kind node image come from: the
// registries, by pinned digest, or local stand-ins made from Debian's packages
// and Go modules where no registry can be reached.
//
// A stand-in has the interface of what it stands for (package manager, programs,
// boot sequence), not its content. Each carries the label [StandInLabel], is
// named in the run's report and has a tag that is the key of everything it is
// made from, so that it is made once.
package offline
