// Package greeting answers requests with greetings.
package greeting

import (
	"fmt"
	"net/http"
)

// Handler greets whom the path names, as in GET /hello/ada, and answers /healthz.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /hello/{name}", hello)
	return mux
}

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "Hello, %s!\n", r.PathValue("name"))
}
