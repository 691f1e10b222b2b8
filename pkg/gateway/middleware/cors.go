package middleware

import (
	"net/http"
	"slices"
)

// CORS lets browsers of the given origins send signals; "*" stands for all. With
// no origins it does nothing at all.
func CORS(origins []string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		if len(origins) == 0 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			header.Add("Vary", "Origin")
			origin := r.Header.Get("Origin")
			allowed := origin != "" && (slices.Contains(origins, "*") || slices.Contains(origins, origin))
			if allowed {
				header.Set("Access-Control-Allow-Origin", origin)
				header.Set("Access-Control-Expose-Headers", HeaderRequestID+", Retry-After")
			}
			if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
				next.ServeHTTP(w, r)
				return
			}
			// A preflight is answered here: it carries no token that could be checked.
			// Without the headers below the browser gives up by itself.
			if allowed {
				header.Set("Access-Control-Allow-Methods", "GET, POST")
				header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Timestamp")
				header.Set("Access-Control-Max-Age", "300")
			}
			w.WriteHeader(http.StatusNoContent)
		})
	}
}
