package processing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

func resource() schema.GroupResource {
	return schema.GroupResource{Group: v1alpha1.GroupName, Resource: "remediationrequests"}
}

func noNamespace(name string) error {
	return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, name)
}

// TestLostAnswersAreNotCountedTwice lets each write succeed, and loses the first
// answers on the way back.
func TestLostAnswersAreNotCountedTwice(t *testing.T) {
	var creations, patches atomic.Int32
	lost := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	server := apiServer(t, interceptor.Funcs{
		Create: func(ctx context.Context, inner client.WithWatch, object client.Object, options ...client.CreateOption) error {
			err := inner.Create(ctx, object, options...)
			if err == nil && creations.Add(1) == 1 {
				return lost
			}
			return err
		},
		SubResourcePatch: func(ctx context.Context, inner client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			err := inner.SubResource(sub).Patch(ctx, object, patch, options...)
			if err == nil && patches.Add(1) <= 2 {
				return lost
			}
			return err
		},
	})
	d := replica(server, nil)
	if got := record(t, d, podSignal()); !got.Created || got.Occurrences != 1 {
		t.Errorf("creation: got %+v", got)
	}
	if got := record(t, d, podSignal()); got.Created || got.Occurrences != 2 {
		t.Errorf("count: got %+v", got)
	}
	if got := requests(t, server); len(got) != 1 || got[0].Status.Deduplication.OccurrenceCount != 2 {
		t.Errorf("got %d requests, %+v", len(got), got[0].Status.Deduplication)
	}
}

func TestMissingNamespaceFallsBack(t *testing.T) {
	terminating := apierrors.NewForbidden(resource(), "x", errors.New("terminating"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, refusal := range map[string]error{"missing": noNamespace("shop"), "terminating": terminating} {
		server := apiServer(t, interceptor.Funcs{
			Create: func(ctx context.Context, inner client.WithWatch, object client.Object, options ...client.CreateOption) error {
				if object.GetNamespace() == "shop" {
					return refusal
				}
				return inner.Create(ctx, object, options...)
			},
		})
		d := replica(server, nil)
		got := record(t, d, podSignal())
		if !got.Created || !got.Fallback || got.Namespace != "kubernaut-system" {
			t.Errorf("%s: got %+v", name, got)
		}
		request := requests(t, server)[0]
		if request.Labels["kubernaut.ai/cluster-scoped"] != "true" || request.Labels["kubernaut.ai/origin-namespace"] != "shop" ||
			request.Spec.TargetResource.Namespace != "shop" {
			t.Errorf("%s: %+v", name, request)
		}
		// The next signal finds it there.
		if got := record(t, d, podSignal()); got.Created || !got.Fallback || got.Occurrences != 2 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestPassingErrorsAreRetried(t *testing.T) {
	var lists, creations atomic.Int32
	server := apiServer(t, interceptor.Funcs{
		List: func(ctx context.Context, inner client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if lists.Add(1) <= 2 {
				return apierrors.NewTooManyRequests("slow down", 0)
			}
			return inner.List(ctx, list, options...)
		},
		Create: func(ctx context.Context, inner client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if creations.Add(1) <= 2 {
				return apierrors.NewInternalError(errors.New("etcd"))
			}
			return inner.Create(ctx, object, options...)
		},
	})
	if got := record(t, replica(server, nil), podSignal()); !got.Created {
		t.Errorf("got %+v", got)
	}
	if creations.Load() != 3 {
		t.Errorf("%d creations, want 3", creations.Load())
	}
}

func TestErrorsEndInAFailure(t *testing.T) {
	for _, refusal := range []error{
		apierrors.NewInvalid(v1alpha1.GroupVersion().WithKind("RemediationRequest").GroupKind(), "x", nil),
		apierrors.NewForbidden(resource(), "x", errors.New("quota")),
		apierrors.NewInternalError(errors.New("etcd")),
	} {
		server := apiServer(t, interceptor.Funcs{
			Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return refusal },
		})
		_, err := replica(server, nil).Record(t.Context(), podSignal())
		var failure *RecordError
		if !errors.As(err, &failure) || !errors.Is(err, refusal) || failure.Request != requestName(podSignal().Fingerprint(), 1) {
			t.Errorf("got %v", err)
		}
	}
}

func TestUnreadableRequestsAreAFailureAtOnce(t *testing.T) {
	// Without the CustomResourceDefinition the API server answers 404.
	server := apiServer(t, interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return apierrors.NewGenericServerResponse(http.StatusNotFound, "get", resource(), "", "page not found", 0, true)
		},
	})
	_, err := replica(server, nil).Record(t.Context(), podSignal())
	var failure *RecordError
	if !errors.As(err, &failure) || failure.Request != "" || ErrorType(err) != "not_found" {
		t.Errorf("got %v", err)
	}
}

// TestConflictWithoutACountIsSettled lets a controller change the new request
// before the second signal is counted in it.
func TestConflictWithoutACountIsSettled(t *testing.T) {
	var patches atomic.Int32
	server := apiServer(t, interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, inner client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			if patches.Add(1) == 1 {
				var current v1alpha1.RemediationRequest
				if err := inner.Get(ctx, client.ObjectKeyFromObject(object), &current); err != nil {
					return err
				}
				current.Labels["seen"] = "yes"
				if err := inner.Update(ctx, &current); err != nil {
					return err
				}
			}
			return inner.SubResource(sub).Patch(ctx, object, patch, options...)
		},
	})
	d := replica(server, nil)
	record(t, d, podSignal())
	if got := record(t, d, podSignal()); got.Created || got.Occurrences != 2 {
		t.Errorf("got %+v", got)
	}
	if got := requests(t, server)[0]; got.Labels["seen"] != "yes" || got.Status.Deduplication == nil || got.Status.Deduplication.OccurrenceCount != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestEndlessConflictsEndWithTheTimeout(t *testing.T) {
	signal := podSignal()
	server := apiServer(t, interceptor.Funcs{
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return apierrors.NewConflict(resource(), "x", errors.New("changed"))
		},
	}, newRequest(signal, signal.Fingerprint(), requestName(signal.Fingerprint(), 1), "other"))
	d := replica(server, nil)
	d.options.Timeout = 30 * time.Millisecond
	_, err := d.Record(t.Context(), signal)
	if !errors.Is(err, errBeaten) || ErrorType(err) != "conflict" {
		t.Errorf("got %v", err)
	}
}

func TestErrorsAreJudgedByType(t *testing.T) {
	kind := v1alpha1.GroupVersion().WithKind("RemediationRequest").GroupKind()
	for _, test := range []struct {
		err       error
		kind      string
		transient bool
		permanent bool
	}{
		{apierrors.NewTooManyRequests("x", 1), "too_many_requests", true, false},
		{apierrors.NewServiceUnavailable("x"), "server_error", true, false},
		{apierrors.NewInternalError(errors.New("x")), "server_error", true, false},
		{apierrors.NewTimeoutError("x", 1), "timeout", true, false},
		{apierrors.NewServerTimeout(resource(), "create", 1), "timeout", true, false},
		{apierrors.NewForbidden(resource(), "x", errors.New("x")), "forbidden", false, false},
		{apierrors.NewUnauthorized("x"), "forbidden", false, false},
		{apierrors.NewInvalid(kind, "x", nil), "invalid", false, true},
		{apierrors.NewBadRequest("timeout"), "invalid", false, true},
		{apierrors.NewRequestEntityTooLargeError("x"), "invalid", false, true},
		{apierrors.NewConflict(resource(), "x", errors.New("x")), "conflict", false, false},
		{apierrors.NewAlreadyExists(resource(), "x"), "conflict", false, false},
		{noNamespace("x"), "not_found", false, false},
		{context.DeadlineExceeded, "timeout", true, false},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "connection", true, false},
		{syscall.ECONNRESET, "connection", true, false},
		{io.ErrUnexpectedEOF, "connection", true, false},
		{errors.New("connection refused"), "other", false, false},
		{context.Canceled, "other", false, false},
	} {
		err := &RecordError{Err: fmt.Errorf("wrapped: %w", test.err)}
		if got := ErrorType(err); got != test.kind {
			t.Errorf("%v: type %s, want %s", test.err, got, test.kind)
		}
		if got := Transient(err); got != test.transient {
			t.Errorf("%v: transient %t", test.err, got)
		}
		if got := Permanent(err); got != test.permanent {
			t.Errorf("%v: permanent %t", test.err, got)
		}
	}
	if Transient(nil) {
		t.Error("no error is transient")
	}
}

func TestRetryStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	for name, test := range map[string]struct {
		err   error
		hook  func()
		calls int
	}{
		"after the attempts":     {apierrors.NewInternalError(errors.New("x")), func() {}, 3},
		"at a lasting error":     {apierrors.NewBadRequest("x"), func() {}, 1},
		"when the context ended": {apierrors.NewInternalError(errors.New("x")), cancel, 1},
	} {
		calls := 0
		base := t.Context()
		if name == "when the context ended" {
			base = ctx
		}
		err := quickRetry().Do(base, func(context.Context) error { calls++; test.hook(); return test.err })
		if !errors.Is(err, test.err) || calls != test.calls {
			t.Errorf("%s: %d calls, %v", name, calls, err)
		}
	}
}

func TestPausesStayNearTheirLength(t *testing.T) {
	for range 1000 {
		if got := spread(100*time.Millisecond, jitter); got < 90*time.Millisecond || got > 110*time.Millisecond {
			t.Fatalf("pause %s", got)
		}
	}
}

func TestFailureNamesTheRequest(t *testing.T) {
	if got := (&RecordError{Request: "rr-1", Err: io.EOF}).Error(); got != "record the signal in rr-1: EOF" {
		t.Errorf("got %s", got)
	}
	if got := (&RecordError{Err: io.EOF}).Error(); got != "record the signal: EOF" {
		t.Errorf("got %s", got)
	}
}
