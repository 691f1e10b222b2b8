// Package fullpipeline holds the E2E specs of all services together: an alert comes over
// HTTP, the Gateway makes a RemediationRequest of it, SignalProcessing enriches that, and
// DataStorage has the whole trail under one correlation id. They know the contracts only
// and import nothing of what they test.
package fullpipeline
