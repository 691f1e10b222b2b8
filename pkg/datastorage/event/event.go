package event

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Version is the only event_version that is accepted.
const Version = "1.0"

// Event is one accepted audit event. An optional field that the sender left out is
// empty. The JSON form is the one of the API and of the queue.
type Event struct {
	ID      uuid.UUID `json:"event_id"`
	Version string    `json:"event_version"`
	// Timestamp is in UTC and cut to microseconds, the resolution of the table.
	Timestamp     time.Time `json:"event_timestamp"`
	Type          string    `json:"event_type"`
	Category      string    `json:"event_category"`
	Action        string    `json:"event_action"`
	Outcome       string    `json:"event_outcome"`
	Severity      string    `json:"severity,omitempty"`
	ActorType     string    `json:"actor_type"`
	ActorID       string    `json:"actor_id"`
	ResourceType  string    `json:"resource_type,omitempty"`
	ResourceID    string    `json:"resource_id,omitempty"`
	CorrelationID string    `json:"correlation_id"`
	Namespace     string    `json:"namespace,omitempty"`
	ClusterName   string    `json:"cluster_name,omitempty"`
	// Data is a JSON object, never empty.
	Data json.RawMessage `json:"event_data"`
}

// Date is the day of the event in UTC: the partition key.
func (e Event) Date() time.Time {
	year, month, day := e.Timestamp.UTC().Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// Unique returns events without the later ones of an id that occurs twice, in
// their order.
func Unique(events []Event) []Event {
	seen := make(map[uuid.UUID]struct{}, len(events))
	unique := make([]Event, 0, len(events))
	for _, e := range events {
		if _, again := seen[e.ID]; again {
			continue
		}
		seen[e.ID] = struct{}{}
		unique = append(unique, e)
	}
	return unique
}

// Correlations returns the correlation ids of events, each once, in their order.
func Correlations(events []Event) []string {
	seen := make(map[string]struct{})
	var correlations []string
	for _, e := range events {
		if _, again := seen[e.CorrelationID]; !again {
			seen[e.CorrelationID] = struct{}{}
			correlations = append(correlations, e.CorrelationID)
		}
	}
	return correlations
}
