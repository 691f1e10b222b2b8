package audit

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// EventType says what happened, as <service>.<what it was done to>.<action>.
type EventType string

// Outcome says how it ended.
type Outcome string

// The outcomes.
const (
	Success Outcome = "success"
	Failed  Outcome = "failure"
)

// Fate says what became of an audit event.
type Fate string

// The fates.
const (
	// Sent events are stored, or queued, by DataStorage.
	Sent Fate = "sent"
	// Overflow events did not fit into the buffer.
	Overflow Fate = "overflow"
	// Rejected events were refused by DataStorage for good.
	Rejected Fate = "rejected"
	// Lost events were still unsent when the process had to stop.
	Lost Fate = "lost"
)

// Fates returns all of them.
func Fates() []Fate { return []Fate{Sent, Overflow, Rejected, Lost} }

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

// NewEvent makes an event that happened now, with an id of its own. Service and action are
// the first and the last part of its type. Data may be nil.
func NewEvent(kind EventType, outcome Outcome, about Subject, now time.Time, data map[string]any) Event {
	if data == nil {
		data = map[string]any{}
	}
	service, _, _ := strings.Cut(string(kind), ".")
	action := string(kind)[strings.LastIndex(string(kind), ".")+1:]
	return Event{
		EventID:        uuid.NewString(),
		EventVersion:   "1.0",
		EventTimestamp: now.UTC(),
		EventType:      kind,
		EventCategory:  service,
		EventAction:    action,
		EventOutcome:   outcome,
		Severity:       about.Severity,
		ActorType:      "service",
		ActorID:        service,
		ResourceType:   "RemediationRequest",
		ResourceID:     about.Request,
		CorrelationID:  about.Request,
		Namespace:      about.Namespace,
		EventData:      data,
	}
}
