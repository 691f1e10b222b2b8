// Package middleware owns what happens to a request before and after its handler:
// identity, limits, authentication and checks. Each piece is an ordinary
// func(http.Handler) http.Handler; the server package fixes their order.
package middleware
