package middleware

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// retryAfterAuth is how long a sender should wait when nobody could be asked.
const retryAfterAuth = 2 * time.Second

// Decision says what a sender may do.
type Decision int

// The decisions. The zero value is the safe one.
const (
	Unauthenticated Decision = iota
	Forbidden
	Allowed
)

// Authorizer decides whether the bearer of a token may do verb on path. An error
// means that it could not find out.
type Authorizer interface {
	Authorize(ctx context.Context, token, verb, path string) (Decision, error)
}

// Auth lets only those through whom the authorizer allows. If it cannot find out
// it lets nobody through.
func Auth(authorizer Authorizer, rejecter Rejecter, logger *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, found := bearer(r.Header.Values("Authorization"))
			if !found {
				unauthorized(w, r, rejecter, "Send a bearer token in the header Authorization.")
				return
			}
			decision, err := authorizer.Authorize(r.Context(), token, strings.ToLower(r.Method), r.URL.Path)
			switch {
			case err != nil:
				logger.ErrorContext(r.Context(), "a token could not be checked", "error", err)
				problem.Write(w, r, problem.Problem{
					Type: problem.TypeServiceUnavailable, Detail: "The token cannot be checked at the moment.",
					RetryAfter: retryAfterAuth,
				})
			case decision == Allowed:
				next.ServeHTTP(w, r)
			case decision == Forbidden:
				rejecter.Rejected(metrics.ReasonAuthorization)
				problem.Write(w, r, problem.Problem{
					Type: problem.TypeForbidden, Detail: "The bearer of this token may not send signals here.",
				})
			default:
				unauthorized(w, r, rejecter, "The token is not valid.")
			}
		})
	}
}

func unauthorized(w http.ResponseWriter, r *http.Request, rejecter Rejecter, detail string) {
	rejecter.Rejected(metrics.ReasonAuthentication)
	w.Header().Set("WWW-Authenticate", "Bearer")
	problem.Write(w, r, problem.Problem{Type: problem.TypeUnauthorized, Detail: detail})
}

// bearer returns the token. Several headers are as good as none: which one a
// proxy on the way looked at is anybody's guess.
func bearer(headers []string) (token string, found bool) {
	if len(headers) != 1 {
		return "", false
	}
	scheme, token, found := strings.Cut(headers[0], " ")
	token = strings.TrimSpace(token)
	return token, found && strings.EqualFold(scheme, "Bearer") && token != ""
}
