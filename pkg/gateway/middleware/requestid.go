package middleware

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// HeaderRequestID carries the request's id in the answer.
const HeaderRequestID = "X-Request-ID"

// RequestID gives each request a new id. An id that the sender chose is not used:
// it could be anything, and it could be the same for all requests.
func RequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := uuid.NewString()
		w.Header().Set(HeaderRequestID, id)
		next.ServeHTTP(w, r.WithContext(problem.WithRequestID(r.Context(), id)))
	})
}
