// Package processing owns the rule that each problem has one open
// RemediationRequest. It turns signals into requests, or counts them in the
// request that is open already.
//
// The API server is the arbiter, so that any number of replicas agree without a
// lock: names are a function of the fingerprint and of the requests that exist,
// hence two creators of the same request meet in AlreadyExists; counts are written
// only against the version that was read, hence two counters meet in Conflict.
// The informer cache is merely a hint that saves a read: whatever it says is put
// to the same test.
package processing
