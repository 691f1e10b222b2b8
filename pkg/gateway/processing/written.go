package processing

import (
	"sync"

	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

// maxWritten bounds how many requests are remembered, about a kilobyte each.
const maxWritten = 1024

// written remembers the requests that this replica has written lately. The informer
// cache learns of a write some milliseconds later; a signal that comes in between
// would be counted against the old version, and the conflict costs three more calls.
// Like the cache it is merely a hint.
type written struct {
	limit int

	mu       sync.Mutex
	requests map[string]*v1alpha1.RemediationRequest // by fingerprint
}

func newWritten(limit int) *written {
	return &written{limit: limit, requests: make(map[string]*v1alpha1.RemediationRequest)}
}

// remember keeps the request as it is after a write.
func (w *written) remember(fingerprint string, request *v1alpha1.RemediationRequest) {
	kept := slim(request)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.requests[fingerprint]; !known && len(w.requests) >= w.limit {
		// An arbitrary one goes: what the cache has learnt meanwhile is no loss.
		for other := range w.requests {
			delete(w.requests, other)
			break
		}
	}
	w.requests[fingerprint] = kept
}

// forget drops what a write has shown to be out of date.
func (w *written) forget(fingerprint string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.requests, fingerprint)
}

// overlay returns the requests that the cache knows of a fingerprint, with the one
// that was written put in where it is newer. Once the cache has caught up the
// request is forgotten.
func (w *written) overlay(fingerprint string, cached []v1alpha1.RemediationRequest) []v1alpha1.RemediationRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	own, known := w.requests[fingerprint]
	if !known {
		return cached
	}
	for i := range cached {
		if cached[i].Name != own.Name || cached[i].Namespace != own.Namespace {
			continue
		}
		if newer(own, &cached[i]) {
			cached[i] = *own.DeepCopy()
		} else {
			delete(w.requests, fingerprint)
		}
		return cached
	}
	return append(cached, *own.DeepCopy())
}

// newer reports whether a is a later version than b of the request of that name, which
// may have been deleted and made anew. Versions that cannot be compared are as good as
// equal.
func newer(a, b *v1alpha1.RemediationRequest) bool {
	order, err := resourceversion.CompareResourceVersion(a.ResourceVersion, b.ResourceVersion)
	return err == nil && order > 0
}

// slim copies what a later count needs, without the payload and what comes with it.
func slim(request *v1alpha1.RemediationRequest) *v1alpha1.RemediationRequest {
	kept := &v1alpha1.RemediationRequest{ObjectMeta: *request.ObjectMeta.DeepCopy()}
	kept.ManagedFields = nil
	kept.Spec.SignalFingerprint, kept.Spec.ReceivedTime = request.Spec.SignalFingerprint, request.Spec.ReceivedTime
	request.Status.DeepCopyInto(&kept.Status)
	return kept
}
