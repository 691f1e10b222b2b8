// Package gateway holds the E2E specs of the Gateway. They run against a real
// cluster and know the contract only: URLs, headers, JSON, metric names and the
// RemediationRequest type. They import nothing of the service itself.
//
// Every spec has a namespace of its own and asserts exact values. Specs run in
// parallel processes; only those that disturb a shared service, or read counters
// that every signal moves, are Serial. Each topic is a method of system in the
// file of its name; suite_test.go lists the topics, so there is no package state.
package gateway
