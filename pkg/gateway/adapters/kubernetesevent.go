package adapters

import (
	"fmt"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/api/remediation/v1alpha1"
)

// SourceKubernetesEvents is the signal source of Kubernetes events.
const SourceKubernetesEvents = "kubernetes-events"

// KubernetesEvent reads one Event of core/v1 or events.k8s.io/v1. The zero value
// is ready.
type KubernetesEvent struct{}

type objectReference struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// event holds the members of both API versions; a body uses those of one.
type event struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Type       string `json:"type"`
	Reason     string `json:"reason"`
	Metadata   struct {
		CreationTimestamp time.Time `json:"creationTimestamp"`
	} `json:"metadata"`

	// core/v1
	InvolvedObject *objectReference `json:"involvedObject"`
	Message        string           `json:"message"`
	FirstTimestamp time.Time        `json:"firstTimestamp"`
	LastTimestamp  time.Time        `json:"lastTimestamp"`
	Source         struct {
		Component string `json:"component"`
		Host      string `json:"host"`
	} `json:"source"`

	// events.k8s.io/v1
	Regarding                *objectReference `json:"regarding"`
	Note                     string           `json:"note"`
	DeprecatedFirstTimestamp time.Time        `json:"deprecatedFirstTimestamp"`

	// Both.
	EventTime           time.Time `json:"eventTime"`
	ReportingController string    `json:"reportingController"`
	ReportingComponent  string    `json:"reportingComponent"`
}

// Type returns the type of the signals that the adapter yields.
func (KubernetesEvent) Type() v1alpha1.SignalType { return v1alpha1.SignalTypeKubernetesEvent }

// Parse returns exactly one element. The error wraps ErrMalformed and means that
// the body is not an Event.
func (k KubernetesEvent) Parse(body []byte, received time.Time) ([]Parsed, error) {
	var sent event
	if err := checkText(body); err != nil {
		return nil, fmt.Errorf("%w: not the JSON of a Kubernetes event: %w", ErrMalformed, err)
	}
	if err := decode(body, &sent); err != nil {
		return nil, fmt.Errorf("%w: not the JSON of a Kubernetes event: %w", ErrMalformed, err)
	}
	if sent.Kind != "" && sent.Kind != "Event" {
		return nil, fmt.Errorf("%w: the kind is %.63q, not Event", ErrMalformed, sent.Kind)
	}
	switch sent.APIVersion {
	case "", "v1", "events.k8s.io/v1":
	default:
		return nil, fmt.Errorf("%w: the API version is %.63q, neither v1 nor events.k8s.io/v1", ErrMalformed, sent.APIVersion)
	}
	signal, err := k.signal(sent, body, received)
	return []Parsed{{Signal: signal, Err: err}}, nil
}

func (k KubernetesEvent) signal(sent event, body []byte, received time.Time) (Signal, error) {
	object, field := sent.InvolvedObject, "involvedObject"
	if sent.Regarding != nil && (object == nil || sent.APIVersion == "events.k8s.io/v1") {
		object, field = sent.Regarding, "regarding"
	}
	switch {
	case sent.Reason == "":
		return Signal{}, fmt.Errorf("reason is missing")
	case object == nil || object.Kind == "":
		return Signal{}, fmt.Errorf("%s.kind is missing", field)
	case object.Name == "":
		return Signal{}, fmt.Errorf("%s.name is missing", field)
	case sent.Type != "Warning" && sent.Type != "Error":
		return Signal{}, fmt.Errorf("events of type %.20q are not problems, send Warning or Error", sent.Type)
	}
	component := firstOf(sent.Source.Component, sent.ReportingController, sent.ReportingComponent)
	signal := Signal{
		Name:     sent.Reason,
		Severity: eventSeverity(sent.Reason),
		Type:     k.Type(),
		Source:   SourceKubernetesEvents,
		Target: Target{
			Kind:      object.Kind,
			Name:      object.Name,
			Namespace: firstOf(object.Namespace, defaultNamespace),
		},
		FiringTime: firstTime(sent.FirstTimestamp, sent.DeprecatedFirstTimestamp, sent.EventTime,
			sent.LastTimestamp, sent.Metadata.CreationTimestamp, received),
		ReceivedTime: received,
		Labels:       present("reason", sent.Reason, "type", sent.Type, "component", component, "host", sent.Source.Host),
		Annotations:  present("message", firstOf(sent.Message, sent.Note)),
		Payload:      strings.TrimSpace(string(body)),
	}
	return signal, signal.check()
}

// eventSeverity tells the reasons that take a workload or a node down from those
// that only hint at trouble.
func eventSeverity(reason string) v1alpha1.Severity {
	switch reason {
	case "OOMKilled", "NodeNotReady", "FailedScheduling", "Evicted", "FailedMount", "NetworkNotReady":
		return v1alpha1.SeverityCritical
	default:
		return v1alpha1.SeverityWarning
	}
}

// present makes a map of the pairs whose value is not empty.
func present(pairs ...string) map[string]string {
	values := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values[pairs[i]] = pairs[i+1]
		}
	}
	return values
}
