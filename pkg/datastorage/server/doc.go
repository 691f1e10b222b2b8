// Package server owns the HTTP API of DataStorage: routes, limits, the reading of
// requests and the wording of answers. Every error is a problem as in package problem,
// and no error tells about the inside of the service.
package server
