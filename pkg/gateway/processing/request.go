package processing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/adapters"
)

// managedBy is the value of the managed-by label.
const managedBy = "gateway"

// labelLength is the longest value that Kubernetes allows for a label.
const labelLength = 63

// requestName is the name of a fingerprint's request of one generation. The
// second half is a hash of both, so that two fingerprints that begin alike do not
// share names.
func requestName(fingerprint string, generation int) string {
	sum := sha256.Sum256([]byte(fingerprint + ":" + strconv.Itoa(generation)))
	return fmt.Sprintf("rr-%s-%s", fingerprint[:12], hex.EncodeToString(sum[:4]))
}

// nextName is the first name that none of the fingerprint's requests has. All
// replicas that see the same requests choose the same name.
func nextName(fingerprint string, existing []v1alpha1.RemediationRequest) string {
	taken := make(map[string]bool, len(existing))
	for i := range existing {
		taken[existing[i].Name] = true
	}
	for generation := 1; ; generation++ {
		if name := requestName(fingerprint, generation); !taken[name] {
			return name
		}
	}
}

// newRequest makes the request of a signal in its own namespace.
func newRequest(signal adapters.Signal, fingerprint, name, creationID string) *v1alpha1.RemediationRequest {
	return &v1alpha1.RemediationRequest{
		ObjectMeta: metav1.ObjectMeta{
			Name:      name,
			Namespace: signal.Target.Namespace,
			Labels: map[string]string{
				v1alpha1.LabelManagedBy:         managedBy,
				v1alpha1.LabelSignalType:        string(signal.Type),
				v1alpha1.LabelSeverity:          string(signal.Severity),
				v1alpha1.LabelSignalFingerprint: fingerprint[:labelLength],
			},
			Annotations: map[string]string{v1alpha1.AnnotationCreationID: creationID},
		},
		Spec: v1alpha1.RemediationRequestSpec{
			SignalFingerprint: fingerprint,
			SignalName:        signal.Name,
			Severity:          signal.Severity,
			SignalType:        signal.Type,
			SignalSource:      signal.Source,
			TargetType:        v1alpha1.TargetTypeKubernetes,
			TargetResource: v1alpha1.TargetResource{
				Kind: signal.Target.Kind, Name: signal.Target.Name, Namespace: signal.Target.Namespace,
			},
			FiringTime:        metav1.NewTime(signal.FiringTime.UTC()),
			ReceivedTime:      metav1.NewTime(signal.ReceivedTime.UTC()),
			SignalLabels:      signal.Labels,
			SignalAnnotations: signal.Annotations,
			OriginalPayload:   signal.Payload,
		},
	}
}

// moveTo puts a request that was not created yet into the fallback namespace and
// labels it with where it belongs.
func moveTo(fallback string, request *v1alpha1.RemediationRequest) {
	request.Labels[v1alpha1.LabelClusterScoped] = "true"
	request.Labels[v1alpha1.LabelOriginNamespace] = request.Namespace
	request.Namespace = fallback
	request.ResourceVersion = ""
}

// counted returns how many signals the request stands for: the one that created it,
// unless more were counted.
func counted(request *v1alpha1.RemediationRequest) int64 {
	if status := request.Status.Deduplication; status != nil && status.OccurrenceCount > 0 {
		return status.OccurrenceCount
	}
	return 1
}

// recount returns what the request's count becomes after more signals, the latest
// of which was seen at lastSeen.
func recount(request *v1alpha1.RemediationRequest, total int64, lastSeen time.Time, writeID string) v1alpha1.DeduplicationStatus {
	updated := v1alpha1.DeduplicationStatus{}
	if previous := request.Status.Deduplication; previous != nil {
		updated = *previous
	}
	if updated.FirstSeenAt == nil {
		first := request.Spec.ReceivedTime
		updated.FirstSeenAt = &first
	}
	// Clocks of replicas differ; the latest time must not go back.
	if updated.LastSeenAt == nil || updated.LastSeenAt.Time.Before(lastSeen) {
		last := metav1.NewTime(lastSeen.UTC())
		updated.LastSeenAt = &last
	}
	updated.OccurrenceCount = total
	updated.LastWriteID = writeID
	return updated
}

// countPatch raises the request's count to the given number of signals. The version
// in it makes the API server refuse the patch if the request has changed since it was
// read. It is written rather than computed from two copies of the request, which took
// most of a count's time in this process.
func countPatch(request *v1alpha1.RemediationRequest, total int64, lastSeen time.Time, writeID string) (client.Patch, error) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]string{"resourceVersion": request.ResourceVersion},
		"status":   map[string]any{"deduplication": recount(request, total, lastSeen, writeID)},
	})
	if err != nil {
		return nil, err
	}
	return client.RawPatch(types.MergePatchType, patch), nil
}
