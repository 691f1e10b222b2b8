package middleware

import (
	"net/http"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// retryAfterOverload is long enough for the requests in flight to be answered.
const retryAfterOverload = time.Second

// Rejecter counts refusals by reason.
type Rejecter interface {
	Rejected(reason metrics.Reason)
}

// InFlight refuses requests above the limit at once. Waiting would only move the
// queue from the sender, who can retry elsewhere, into this process.
func InFlight(limit int, rejecter Rejecter) func(http.Handler) http.Handler {
	slots := make(chan struct{}, limit)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				next.ServeHTTP(w, r)
			default:
				rejecter.Rejected(metrics.ReasonOverload)
				problem.Write(w, r, problem.Problem{
					Type: problem.TypeServiceUnavailable, Detail: "Too many requests are being answered. Send it again.",
					RetryAfter: retryAfterOverload,
				})
			}
		})
	}
}
