package processing

import (
	"context"
	"errors"
	"fmt"
	"net"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// RecordError says that a signal could not be recorded.
type RecordError struct {
	// Request is the name of the request that was to be made or counted, or ""
	// if it was not known yet.
	Request string
	Err     error
}

func (f *RecordError) Error() string {
	if f.Request == "" {
		return fmt.Sprintf("record the signal: %v", f.Err)
	}
	return fmt.Sprintf("record the signal in %s: %v", f.Request, f.Err)
}

// Unwrap returns the error of the call that failed.
func (f *RecordError) Unwrap() error { return f.Err }

// Permanent reports whether Kubernetes refuses the signal itself, so that sending
// it again cannot help. Everything else may be mended, by time or by an operator,
// and is worth another attempt.
func Permanent(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}

// ErrorType names the kind of failure from a closed set, for metrics and audit.
func ErrorType(err error) string {
	var network net.Error
	switch {
	case apierrors.IsTooManyRequests(err):
		return "too_many_requests"
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return "forbidden"
	case Permanent(err):
		return "invalid"
	case apierrors.IsNotFound(err):
		return "not_found"
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return "conflict"
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &network) && network.Timeout():
		return "timeout"
	case apierrors.ReasonForError(err) != "" && Transient(err):
		return "server_error"
	case Transient(err):
		return "connection"
	default:
		return "other"
	}
}

// namespaceUnusable reports whether a creation failed because its namespace does
// not exist or is about to go.
func namespaceUnusable(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return true
	}
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}
