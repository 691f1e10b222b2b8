// Package problem owns the one shape in which the services answer errors: RFC 9457
// application/problem+json. It also owns the request id in the context, because
// every problem names the request that it answers.
//
// The package knows no service; the Gateway and DataStorage both import it, so
// that a client needs a single decoder for both.
package problem
