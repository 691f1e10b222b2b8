package deploy

import (
	"context"
	"errors"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

const (
	// attempts is how often one call is made in all.
	attempts = 3
	// firstPause doubles with every attempt.
	firstPause = 250 * time.Millisecond
)

// retry calls f until it succeeds, fails for a lasting reason, or has failed
// three times. The pauses end with ctx.
func retry(ctx context.Context, f func() error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := f()
		if err == nil || n == attempts || !passing(err) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(context.Cause(ctx), err)
		case <-timer.C:
		}
		pause *= 2
	}
}

// passing tells the failures that a later attempt may not meet, by type: the
// API server is busy, starting or not reachable for the moment, or does not
// show a kind yet that was defined just before.
func passing(err error) bool {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		code := status.Status().Code
		return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
	}
	return meta.IsNoMatchError(err) ||
		utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) ||
		utilnet.IsHTTP2ConnectionLost(err) || utilnet.IsProbableEOF(err)
}
