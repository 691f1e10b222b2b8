package datastorage

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"maps"
	"time"

	"github.com/google/uuid"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// fields is an event as JSON: what a sender writes and a reader gets back.
type fields map[string]any

// newEvent is a complete and valid event of now.
func newEvent(correlation string) fields {
	return fields{
		"event_id": uuid.NewString(), "event_version": "1.0", "event_timestamp": stamp(time.Now()),
		"event_type": "spec.thing.happened", "event_category": "spec", "event_action": "happened",
		"event_outcome": "success", "severity": "info", "actor_type": "user", "actor_id": "spec",
		"resource_type": "Thing", "resource_id": "thing-0", "correlation_id": correlation,
		"namespace": "prod", "cluster_name": "east",
		"event_data": map[string]any{"reason": "spec"},
	}
}

// stamp writes a time as DataStorage does: in UTC, to the microsecond.
func stamp(t time.Time) string { return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano) }

// newCorrelation returns a correlation id that no other spec uses.
func newCorrelation() string { return "spec-" + uuid.NewString() }

// newEvents returns valid events of one correlation, a millisecond apart, oldest first.
func newEvents(correlation string, count int) []fields {
	begin := time.Now().Add(-time.Duration(count) * time.Millisecond)
	events := make([]fields, count)
	for i := range events {
		events[i] = newEvent(correlation).with("event_timestamp", stamp(begin.Add(time.Duration(i)*time.Millisecond)))
	}
	return events
}

// with returns e with another value of a field; nil leaves the field out.
func (e fields) with(name string, value any) fields {
	changed := maps.Clone(e)
	if changed[name] = value; value == nil {
		delete(changed, name)
	}
	return changed
}

func (e fields) id() string {
	id, _ := e["event_id"].(string)
	return id
}

func idsOf(events []fields) []string {
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.id()
	}
	return ids
}

// newestFirst returns events in the opposite order.
func newestFirst(events []fields) []fields {
	turned := make([]fields, len(events))
	for i, e := range events {
		turned[len(events)-1-i] = e
	}
	return turned
}

func encode(value any) []byte {
	GinkgoHelper()
	body, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	return body
}

// batchOf is the body of a batch.
func batchOf(events ...fields) map[string]any { return map[string]any{"events": events} }

// randomText returns that many hexadecimal digits, which nothing can compress to less
// than half.
func randomText(characters int) string {
	bytes := make([]byte, (characters+1)/2)
	_, _ = rand.Read(bytes) // It never fails.
	return hex.EncodeToString(bytes)[:characters]
}
