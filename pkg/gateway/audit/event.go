package audit

import (
	"time"

	"github.com/google/uuid"
)

// EventType says what happened.
type EventType string

// The event types.
const (
	SignalReceived     EventType = "gateway.signal.received"
	SignalDeduplicated EventType = "gateway.signal.deduplicated"
	CRDCreated         EventType = "gateway.crd.created"
	CRDCreationFailed  EventType = "gateway.crd.creation_failed"
)

// Outcome says how it ended.
type Outcome string

// The outcomes.
const (
	Success Outcome = "success"
	Failed  Outcome = "failure"
)

// Event is one audit event in DataStorage's form.
type Event struct {
	EventID        string         `json:"event_id"`
	EventVersion   string         `json:"event_version"`
	EventTimestamp time.Time      `json:"event_timestamp"`
	EventType      EventType      `json:"event_type"`
	EventCategory  string         `json:"event_category"`
	EventAction    string         `json:"event_action"`
	EventOutcome   Outcome        `json:"event_outcome"`
	Severity       string         `json:"severity,omitempty"`
	ActorType      string         `json:"actor_type"`
	ActorID        string         `json:"actor_id"`
	ResourceType   string         `json:"resource_type"`
	ResourceID     string         `json:"resource_id"`
	CorrelationID  string         `json:"correlation_id"`
	Namespace      string         `json:"namespace,omitempty"`
	EventData      map[string]any `json:"event_data"`
}

// Subject is what an event is about.
type Subject struct {
	// Request is the name of the RemediationRequest; it is also the correlation id.
	Request string
	// Namespace is the request's; it may be empty.
	Namespace string
	Severity  string
}

// NewEvent makes an event that happened now. Data may be nil.
func NewEvent(kind EventType, about Subject, now time.Time, data map[string]any) Event {
	if data == nil {
		data = map[string]any{}
	}
	action, outcome := describe(kind)
	return Event{
		EventID:        uuid.NewString(),
		EventVersion:   "1.0",
		EventTimestamp: now.UTC(),
		EventType:      kind,
		EventCategory:  "gateway",
		EventAction:    action,
		EventOutcome:   outcome,
		Severity:       about.Severity,
		ActorType:      "service",
		ActorID:        "gateway",
		ResourceType:   "RemediationRequest",
		ResourceID:     about.Request,
		CorrelationID:  about.Request,
		Namespace:      about.Namespace,
		EventData:      data,
	}
}

func describe(kind EventType) (action string, outcome Outcome) {
	switch kind {
	case SignalReceived:
		return "received", Success
	case SignalDeduplicated:
		return "deduplicated", Success
	case CRDCreated:
		return "created", Success
	default:
		return "creation_failed", Failed
	}
}
