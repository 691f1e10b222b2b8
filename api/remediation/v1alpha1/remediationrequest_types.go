package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SignalFingerprintField is the path of the fingerprint, on which the API server
// can select requests.
const SignalFingerprintField = "spec.signalFingerprint"

// Labels that the Gateway puts on each request.
const (
	LabelManagedBy  = "app.kubernetes.io/managed-by"
	LabelSignalType = "kubernaut.ai/signal-type"
	LabelSeverity   = "kubernaut.ai/severity"
	// LabelSignalFingerprint holds the first 63 characters of the fingerprint,
	// the longest value that a label can have.
	LabelSignalFingerprint = "kubernaut.ai/signal-fingerprint"
	// LabelClusterScoped is "true" on a request that lives in the fallback
	// namespace because the namespace of its target does not exist.
	LabelClusterScoped = "kubernaut.ai/cluster-scoped"
	// LabelOriginNamespace names the missing namespace of such a request.
	LabelOriginNamespace = "kubernaut.ai/origin-namespace"
)

// AnnotationCreationID names the attempt that created a request. The Gateway
// recognises by it a request of its own whose creation was answered too late.
const AnnotationCreationID = "kubernaut.ai/creation-id"

// Severity says how urgent a signal is.
//
// +kubebuilder:validation:Enum=critical;warning;info
type Severity string

// The severities.
const (
	SeverityCritical Severity = "critical"
	SeverityWarning  Severity = "warning"
	SeverityInfo     Severity = "info"
)

// SignalType says what kind of source told of the problem.
//
// +kubebuilder:validation:Enum=prometheus-alert;kubernetes-event
type SignalType string

// The signal types.
const (
	SignalTypePrometheusAlert SignalType = "prometheus-alert"
	SignalTypeKubernetesEvent SignalType = "kubernetes-event"
)

// TargetType says in which system the target resource lives.
//
// +kubebuilder:validation:Enum=kubernetes;aws;azure;gcp;datadog
type TargetType string

// TargetTypeKubernetes is the only target type that the Gateway itself sets.
const TargetTypeKubernetes TargetType = "kubernetes"

// Phase is how far the remediation came. The set is open: a controller may add
// phases, and an unknown phase counts as not terminal.
type Phase string

// The phases that SignalProcessing sets: it has taken the request up, and it has said
// what it knows of it.
const (
	PhasePending    Phase = "Pending"
	PhaseProcessing Phase = "Processing"
)

// The terminal phases. The next signal of the same fingerprint opens a new request.
const (
	PhaseCompleted Phase = "Completed"
	PhaseFailed    Phase = "Failed"
	PhaseTimedOut  Phase = "TimedOut"
	PhaseSkipped   Phase = "Skipped"
	PhaseCancelled Phase = "Cancelled"
)

// Terminal reports whether the remediation is over. The empty phase and every
// unknown one are not terminal.
func (p Phase) Terminal() bool {
	switch p {
	case PhaseCompleted, PhaseFailed, PhaseTimedOut, PhaseSkipped, PhaseCancelled:
		return true
	default:
		return false
	}
}

// TargetResource names the object that has the problem.
type TargetResource struct {
	// Kind of the object, for example Pod.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Kind string `json:"kind"`
	// Name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the object, empty for an object of the whole cluster.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// RemediationRequestSpec is what the signal said. It does not change.
type RemediationRequestSpec struct {
	// SignalFingerprint identifies the problem: SHA-256, in lower-case hex, of
	// signal name, namespace, kind and resource.
	// +kubebuilder:validation:Pattern=`^[a-f0-9]{64}$`
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="signalFingerprint is immutable"
	SignalFingerprint string `json:"signalFingerprint"`
	// SignalName is the name of the alert, or the reason of the event.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SignalName string   `json:"signalName"`
	Severity   Severity `json:"severity"`
	// SignalType is the kind of source.
	SignalType SignalType `json:"signalType"`
	// SignalSource names the sender: the receiver of the webhook, or the
	// component that reported the event.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	SignalSource string `json:"signalSource,omitempty"`
	// +kubebuilder:default=kubernetes
	TargetType     TargetType     `json:"targetType"`
	TargetResource TargetResource `json:"targetResource"`
	// FiringTime is when the problem began, as the source tells it.
	FiringTime metav1.Time `json:"firingTime"`
	// ReceivedTime is when the Gateway got the signal.
	ReceivedTime metav1.Time `json:"receivedTime"`
	// SignalLabels are the labels of the signal.
	// +optional
	SignalLabels map[string]string `json:"signalLabels,omitempty"`
	// SignalAnnotations are the annotations of the signal.
	// +optional
	SignalAnnotations map[string]string `json:"signalAnnotations,omitempty"`
	// OriginalPayload is the JSON of the alert or event as it came in.
	// +optional
	OriginalPayload string `json:"originalPayload,omitempty"`
}

// DeduplicationStatus counts the signals that this request stands for.
type DeduplicationStatus struct {
	// FirstSeenAt is when the first signal came in; absent until there is a second one,
	// spec.receivedTime tells it too.
	// +optional
	FirstSeenAt *metav1.Time `json:"firstSeenAt,omitempty"`
	// LastSeenAt is when the latest signal came in; absent until there is a second one.
	// +optional
	LastSeenAt *metav1.Time `json:"lastSeenAt,omitempty"`
	// OccurrenceCount is the number of accepted signals, the first included.
	// +kubebuilder:validation:Minimum=1
	// +optional
	OccurrenceCount int64 `json:"occurrenceCount,omitempty"`
	// LastWriteID names the latest write of this status. The Gateway recognises by
	// it a write of its own whose answer was lost, and does not count it twice.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	LastWriteID string `json:"lastWriteID,omitempty"`
}

// Priority says in which order problems are worked on: P0 comes first.
//
// +kubebuilder:validation:Enum=P0;P1;P2;P3
type Priority string

// The priorities.
const (
	PriorityP0 Priority = "P0"
	PriorityP1 Priority = "P1"
	PriorityP2 Priority = "P2"
	PriorityP3 Priority = "P3"
)

// EnvironmentSource says where an environment is known from.
//
// +kubebuilder:validation:Enum=namespace-label;default
type EnvironmentSource string

// The sources of an environment.
const (
	EnvironmentFromLabel   EnvironmentSource = "namespace-label"
	EnvironmentFromDefault EnvironmentSource = "default"
)

// EnrichmentStatus is what SignalProcessing knows of a request. Environment, its source,
// priority and the time of them are set together.
type EnrichmentStatus struct {
	// AcceptedAt is when SignalProcessing took the request up.
	// +optional
	AcceptedAt *metav1.MicroTime `json:"acceptedAt,omitempty"`
	// EnrichedAt is when the rest became known.
	// +optional
	EnrichedAt *metav1.MicroTime `json:"enrichedAt,omitempty"`
	// Environment is that of the target's namespace.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Environment string `json:"environment,omitempty"`
	// +optional
	EnvironmentSource EnvironmentSource `json:"environmentSource,omitempty"`
	// +optional
	Priority Priority `json:"priority,omitempty"`
}

// RemediationRequestStatus is what became of the request.
type RemediationRequestStatus struct {
	// OverallPhase is set by the remediation controllers; empty means that none
	// has looked at the request yet.
	// +optional
	OverallPhase Phase `json:"overallPhase,omitempty"`
	// Deduplication is kept by the Gateway. A request is made for one signal, which the
	// API server fills in, so that nobody need write it; absent means the same.
	// +kubebuilder:default={occurrenceCount: 1}
	// +optional
	Deduplication *DeduplicationStatus `json:"deduplication,omitempty"`
	// Enrichment is kept by SignalProcessing. Absent means that it has not looked at
	// the request yet.
	// +optional
	Enrichment *EnrichmentStatus `json:"enrichment,omitempty"`
}

// RemediationRequest asks for the remedy of one problem.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rr
// +kubebuilder:selectablefield:JSONPath=`.spec.signalFingerprint`
// +kubebuilder:printcolumn:name="Signal",type=string,JSONPath=`.spec.signalName`
// +kubebuilder:printcolumn:name="Severity",type=string,JSONPath=`.spec.severity`
// +kubebuilder:printcolumn:name="Priority",type=string,JSONPath=`.status.enrichment.priority`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.overallPhase`
// +kubebuilder:printcolumn:name="Count",type=integer,JSONPath=`.status.deduplication.occurrenceCount`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type RemediationRequest struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec RemediationRequestSpec `json:"spec"`
	// +kubebuilder:default={}
	// +optional
	Status RemediationRequestStatus `json:"status,omitempty"`
}

// RemediationRequestList is a list of requests.
//
// +kubebuilder:object:root=true
type RemediationRequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []RemediationRequest `json:"items"`
}
