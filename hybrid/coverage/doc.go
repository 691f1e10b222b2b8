// Package coverage owns the way of coverage data from instrumented services to
// a report: the clean folders they write to, the proof that each service
// delivered, merging, the text profile and the HTML made of it, percent per
// package and per service, and the floors that a suite declares.
package coverage
