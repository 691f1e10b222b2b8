// Package signalprocessing is the controller SignalProcessing: it takes up each new
// RemediationRequest, says in its status from which environment it is and how urgent, by
// rules that can change while it runs, and records that in the audit trail.
package signalprocessing
