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
	// firstPause between two attempts doubles with every attempt, up to longestPause.
	firstPause   = 250 * time.Millisecond
	longestPause = 2 * time.Second
	// awayTimeout is for an API server that is not there: kubelet starts one that died
	// again, which takes up to ten seconds.
	awayTimeout = 20 * time.Second
	// momentTimeout is for what an API server says in the first moments after its start,
	// or after a kind was defined.
	momentTimeout = 2 * time.Second
)

// retry calls f until it succeeds, or fails for a reason that lasts longer than its
// patience. An API server that was away has the patience for that also for its first
// moments after it is back. The pauses end with ctx.
func retry(ctx context.Context, f func() error) error {
	start, longest := time.Now(), time.Duration(0)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := f()
		if err == nil {
			return nil
		}
		patient := patience(err)
		longest = max(longest, patient)
		if patient == 0 || time.Since(start)+pause > longest {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(context.Cause(ctx), err)
		case <-timer.C:
		}
	}
}

// patience is how long a failure may last, by its type: zero for one that a later
// attempt meets again.
func patience(err error) time.Duration {
	if utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err) || utilnet.IsProbableEOF(err) {
		return awayTimeout
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		switch code := status.Status().Code; {
		case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout:
			return awayTimeout
		// An API server that does not know its roles yet refuses everything. Who may not
		// give all rights is told, for a moment, that a role which was just made is not there.
		case code == http.StatusNotFound || code == http.StatusForbidden || code >= http.StatusInternalServerError:
			return momentTimeout
		}
		return 0
	}
	if meta.IsNoMatchError(err) {
		return momentTimeout
	}
	return 0
}
