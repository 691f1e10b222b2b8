// Package adapters owns the way from the body of a webhook to signals: it parses,
// checks and normalises what a source sent, and gives each problem its
// fingerprint. It does no input or output and knows neither HTTP nor Kubernetes
// clients.
package adapters
