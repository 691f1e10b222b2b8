package middleware

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// HeaderTimestamp carries the time of sending, in Unix seconds.
const HeaderTimestamp = "X-Timestamp"

// Freshness says which times of sending are believed.
type Freshness struct {
	// MaxAge and MaxAhead bound the difference to this process's clock.
	MaxAge   time.Duration
	MaxAhead time.Duration
	// Optional lets requests without the header pass.
	Optional bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Timestamp refuses requests that are too old, so that a recorded one cannot be
// played back later.
func Timestamp(bounds Freshness, rejecter Rejecter) func(http.Handler) http.Handler {
	if bounds.Now == nil {
		bounds.Now = time.Now
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// Which of several times a recorder of requests looked at is anybody's guess.
			detail := "The header " + HeaderTimestamp + " is there more than once."
			if len(r.Header.Values(HeaderTimestamp)) < 2 {
				detail = bounds.refusal(r.Header.Get(HeaderTimestamp))
			}
			if detail != "" {
				rejecter.Rejected(metrics.ReasonTimestamp)
				problem.Write(w, r, problem.Problem{Type: problem.TypeValidation, Detail: detail})
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// refusal says what is wrong with the header, or "".
func (f Freshness) refusal(header string) string {
	if header == "" {
		if f.Optional {
			return ""
		}
		return "The header " + HeaderTimestamp + " is missing; send the time in Unix seconds."
	}
	seconds, err := strconv.ParseInt(header, 10, 64)
	if err != nil {
		return "The header " + HeaderTimestamp + " is not a number of Unix seconds."
	}
	if seconds < 0 {
		return "The header " + HeaderTimestamp + " is negative."
	}
	// Whole seconds are compared: the subtraction of times saturates for numbers
	// that are far away, that of seconds cannot overflow here.
	now := f.Now().Unix()
	if now-seconds > int64(f.MaxAge/time.Second) {
		return fmt.Sprintf("The header %s is older than %s.", HeaderTimestamp, f.MaxAge)
	}
	if seconds-now > int64(f.MaxAhead/time.Second) {
		return fmt.Sprintf("The header %s is more than %s ahead.", HeaderTimestamp, f.MaxAhead)
	}
	return ""
}
