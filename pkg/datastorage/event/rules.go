package event

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// The longest values in characters. The columns of audit_events have the same
// bounds; a test compares them.
const (
	MaxType          = 100
	MaxCategory      = 50
	MaxAction        = 50
	MaxActorType     = 50
	MaxActorID       = 255
	MaxResourceType  = 100
	MaxResourceID    = 255
	MaxCorrelationID = 255
	MaxNamespace     = 253
	MaxClusterName   = 255
)

// Outcomes returns the values that event_outcome may have.
func Outcomes() []string { return []string{"success", "failure", "pending"} }

// Severities returns the values that severity may have; it may also be absent.
func Severities() []string { return []string{"critical", "warning", "info"} }

// Rules are what an event must meet at the moment when it is accepted.
type Rules struct {
	// Now is the time of acceptance.
	Now time.Time
	// MaxAge is how far back event_timestamp may lie.
	MaxAge time.Duration
	// MaxAhead is how far in the future it may lie, for clocks that differ.
	MaxAhead time.Duration
}

// wire is the JSON form as strings, so that a mistake can name its field.
type wire struct {
	ID            string  `json:"event_id"`
	Version       string  `json:"event_version"`
	Timestamp     string  `json:"event_timestamp"`
	Type          string  `json:"event_type"`
	Category      string  `json:"event_category"`
	Action        string  `json:"event_action"`
	Outcome       string  `json:"event_outcome"`
	Severity      string  `json:"severity"`
	ActorType     string  `json:"actor_type"`
	ActorID       string  `json:"actor_id"`
	ResourceType  string  `json:"resource_type"`
	ResourceID    string  `json:"resource_id"`
	CorrelationID string  `json:"correlation_id"`
	Namespace     string  `json:"namespace"`
	ClusterName   string  `json:"cluster_name"`
	Data          rawData `json:"event_data"`
}

// accept checks w against the rules and returns the event, or every mistake.
func (r Rules) accept(w wire) (Event, error) {
	v := &violations{}
	e := Event{
		ID:            v.id(w.ID),
		Version:       w.Version,
		Timestamp:     r.timestamp(v, w.Timestamp),
		Type:          v.text("event_type", w.Type, MaxType, required),
		Category:      v.text("event_category", w.Category, MaxCategory, required),
		Action:        v.text("event_action", w.Action, MaxAction, required),
		Outcome:       v.oneOf("event_outcome", w.Outcome, Outcomes(), required),
		Severity:      v.oneOf("severity", w.Severity, Severities(), optional),
		ActorType:     v.text("actor_type", w.ActorType, MaxActorType, required),
		ActorID:       v.text("actor_id", w.ActorID, MaxActorID, required),
		ResourceType:  v.text("resource_type", w.ResourceType, MaxResourceType, optional),
		ResourceID:    v.text("resource_id", w.ResourceID, MaxResourceID, optional),
		CorrelationID: v.text("correlation_id", w.CorrelationID, MaxCorrelationID, required),
		Namespace:     v.text("namespace", w.Namespace, MaxNamespace, optional),
		ClusterName:   v.text("cluster_name", w.ClusterName, MaxClusterName, optional),
	}
	if w.Version != Version {
		v.add("event_version", fmt.Sprintf("must be %q", Version))
	}
	data, err := w.Data.canonical()
	if err != nil {
		v.add("event_data", err.Error())
	}
	e.Data = data
	if len(v.found) > 0 {
		return Event{}, fmt.Errorf("%s", strings.Join(v.found, "; "))
	}
	return e, nil
}

func (r Rules) timestamp(v *violations, value string) time.Time {
	const field = "event_timestamp"
	if value == "" {
		v.add(field, "is required")
		return time.Time{}
	}
	parsed, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		v.add(field, "must be RFC 3339, for example 2006-01-02T15:04:05.999Z")
		return time.Time{}
	}
	switch {
	case parsed.After(r.Now.Add(r.MaxAhead)):
		v.add(field, fmt.Sprintf("is more than %s ahead of the server's clock", r.MaxAhead))
	case parsed.Before(r.Now.Add(-r.MaxAge)):
		v.add(field, fmt.Sprintf("is more than %s old", r.MaxAge))
	}
	return parsed.UTC().Truncate(time.Microsecond)
}

// presence says whether a field may be left out.
type presence int

const (
	optional presence = iota
	required
)

// violations collects what is wrong with one event, so that a sender learns
// everything from one answer.
type violations struct{ found []string }

func (v *violations) add(field, problem string) {
	v.found = append(v.found, field+" "+problem)
}

func (v *violations) id(value string) uuid.UUID {
	if value == "" {
		v.add("event_id", "is required")
		return uuid.Nil
	}
	// uuid.Parse also takes braces and urn:uuid:, which would give one event
	// several spellings.
	id, err := uuid.Parse(value)
	if err != nil || len(value) != 36 || id == uuid.Nil {
		v.add("event_id", "must be a UUID")
	}
	return id
}

func (v *violations) text(field, value string, longest int, p presence) string {
	switch {
	case value == "" && p == required:
		v.add(field, "is required")
	case utf8.RuneCountInString(value) > longest:
		v.add(field, fmt.Sprintf("is longer than %d characters", longest))
	case strings.ContainsRune(value, 0):
		// PostgreSQL cannot store it in any text column.
		v.add(field, "must not contain the character U+0000")
	}
	return value
}

func (v *violations) oneOf(field, value string, allowed []string, p presence) string {
	switch {
	case value == "" && p == required:
		v.add(field, "is required")
	case value != "" && !slices.Contains(allowed, value):
		v.add(field, "must be one of "+strings.Join(allowed, ", "))
	}
	return value
}
