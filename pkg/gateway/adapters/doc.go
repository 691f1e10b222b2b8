// Package adapters owns the way from the body of a webhook to signals: it parses,
// checks and normalises what a source sent, and gives each problem its
// fingerprint. It does no input or output and knows neither HTTP nor Kubernetes
// clients.
//
// # What is refused
//
// A sender may be hostile, and may sit behind others that read the same body. So
// a body is refused, with ErrMalformed, if two readers could take it for
// different things, or if reading it costs too much:
//
//   - it is not one JSON value: malformed, cut off, or followed by more;
//   - it is not UTF-8, begins with a byte order mark, or escapes half of a UTF-16
//     surrogate pair;
//   - it is nested more than 64 levels deep;
//   - it names a member twice that is read here, or a label or an annotation.
//
// Alertmanager writes none of that, whatever a label holds, so that nobody who
// controls a label can spoil a whole webhook. What is wrong inside one alert, a
// label named twice included, rejects that alert alone.
//
// Names of members match in case: "Alerts" is not "alerts". A member that is not
// known is ignored, whatever it holds: Alertmanager and Kubernetes add some from
// time to time.
//
// # What is kept
//
// The names of signal, kind and target go into the audit trail, and from there
// into logs and terminals: they have no control characters, which takes away NUL,
// line breaks and the escapes of terminals. Labels, annotations and the payload
// are kept as they were sent, NUL, escapes and bidirectional marks included: they
// are stored as JSON by the API server, which can hold any Unicode text, and go
// nowhere else. Who shows them must quote them.
package adapters
