package middleware

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// mediaType is the only one that the signal routes take.
const mediaType = "application/json"

// drain is how much of a refused body is read and thrown away, in bytes, so that
// an ordinary client gets to read the answer before the connection closes.
const drain = 1 << 20

// BodyLimit reads the body into memory and refuses one above the limit, in bytes.
// It reads rather than wraps, so that a body without a declared length is refused
// at the same point of the order as one with.
func BodyLimit(limit int64, rejecter Rejecter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
			switch {
			case int64(len(body)) > limit:
				_, _ = io.CopyN(io.Discard, r.Body, drain)
				rejecter.Rejected(metrics.ReasonBodyTooLarge)
				problem.Write(w, r, problem.Problem{
					Type: problem.TypePayloadTooLarge, Detail: fmt.Sprintf("The body is larger than %d bytes.", limit),
				})
			case err != nil:
				rejecter.Rejected(metrics.ReasonMalformed)
				problem.Write(w, r, problem.Problem{
					Type: problem.TypeValidation, Detail: "The body ended before it was complete.",
				})
			default:
				r.Body = io.NopCloser(bytes.NewReader(body))
				next.ServeHTTP(w, r)
			}
		})
	}
}

// ContentType refuses bodies that say that they are not JSON. One that says
// nothing is taken for JSON.
func ContentType(rejecter Rejecter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			declared := r.Header.Get("Content-Type")
			if declared != "" {
				if kind, _, err := mime.ParseMediaType(declared); err != nil || kind != mediaType {
					rejecter.Rejected(metrics.ReasonMediaType)
					w.Header().Set("Accept", mediaType)
					problem.Write(w, r, problem.Problem{
						Type: problem.TypeUnsupportedMediaType, Detail: "The body must be " + mediaType + ".",
					})
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
