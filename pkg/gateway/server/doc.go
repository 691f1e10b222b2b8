// Package server owns the Gateway as a process: the routes and the order of the
// middleware, the answers, readiness, and the start and the orderly end. It joins
// the other packages of the Gateway; none of them knows it.
package server
