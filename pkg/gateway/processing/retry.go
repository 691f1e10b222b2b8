package processing

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Retry says how a call to the API server is repeated after an error that may pass.
type Retry struct {
	// Attempts counts the first call too; 0 means 1.
	Attempts int
	// Initial is the pause after the first failure; it doubles up to Max.
	Initial time.Duration
	Max     time.Duration
	// Timeout bounds each attempt; 0 means only the context does.
	Timeout time.Duration
}

// jitter is the share by which a pause may differ, so that replicas that failed
// together do not come back together.
const jitter = 0.1

// Do calls the function until it succeeds, fails for good, the attempts are used
// up or ctx ends. It returns the last error of the call itself.
func (r Retry) Do(ctx context.Context, call func(context.Context) error) error {
	pause := r.Initial
	for attempt := 1; ; attempt++ {
		err := r.once(ctx, call)
		if err == nil || attempt >= r.Attempts || ctx.Err() != nil || !Transient(err) {
			return err
		}
		if wait(ctx, spread(pause, jitter)) != nil {
			return err
		}
		pause = min(2*pause, r.Max)
	}
}

func (r Retry) once(ctx context.Context, call func(context.Context) error) error {
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Timeout)
		defer cancel()
	}
	return call(ctx)
}

// Transient reports whether the same call may succeed later: the API server is
// overloaded, has an internal error, did not answer in time or was not reached.
// It judges by the types of errors, never by their text.
func Transient(err error) bool {
	if err == nil {
		return false
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests ||
			apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err)
	}
	return errors.Is(err, context.DeadlineExceeded) || unreached(err)
}

// unreached reports whether the connection failed, before or during the call.
func unreached(err error) bool {
	var network net.Error
	return errors.As(err, &network) || // every error of net/http's client is one
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// spread returns pause ± share.
func spread(pause time.Duration, share float64) time.Duration {
	return time.Duration(float64(pause) * (1 + share*(2*rand.Float64()-1)))
}

// wait blocks for the pause, or until ctx ends; then it returns the reason.
func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
