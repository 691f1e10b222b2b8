// Package signalprocessing holds the E2E specs of SignalProcessing. They run against a real
// cluster and know the contract only: the RemediationRequest type, rules, audit events and
// metric names. They import nothing of what they test.
//
// Each topic is a method of system in the file of its name; suite_test.go lists the
// topics. Specs run in parallel processes: each makes what it changes for itself. Those
// that stop the controller, change its rules or count all it does are Serial.
package signalprocessing
