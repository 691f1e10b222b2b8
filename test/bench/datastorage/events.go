package datastorage

import (
	"bytes"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	// perCorrelation is how many events share a correlation id, as a request with some
	// duplicates has.
	perCorrelation = 10
	// days is over how many days the events lie: as far back as they are accepted, less
	// one for a run that lasts.
	days = 6
)

// source makes the events of a run. Its methods may be used at the same time.
type source struct {
	name  string
	begin time.Time
	rows  int
}

func newSource(rows int) source {
	return source{name: uuid.NewString()[:8], begin: time.Now().AddDate(0, 0, -days), rows: rows}
}

// correlation is the id of the n-th event's correlation.
func (s source) correlation(n int) string { return fmt.Sprintf("rr-%s-%d", s.name, n/perCorrelation) }

// kinds are the types of event, with how they end.
func kinds() []string {
	return []string{"received", "created", "deduplicated", "started", "analysed", "approved", "executed", "verified", "notified", "closed"}
}

// event is the n-th event, of the size that the Gateway sends. One of twenty is a
// failure.
func (s source) event(n int) []byte {
	kind, outcome, severity := kinds()[n%len(kinds())], "success", "info"
	if n%20 == 7 {
		outcome, severity = "failure", "critical"
	}
	at := s.begin.Add(time.Duration(float64(days*24*time.Hour) * float64(n) / float64(s.rows)))
	id := uuid.New()
	return fmt.Appendf(nil, `{"event_id":%q,"event_version":"1.0","event_timestamp":%q,"event_type":"gateway.signal.%s",`+
		`"event_category":"gateway","event_action":%q,"event_outcome":%q,"severity":%q,"actor_type":"service","actor_id":"gateway",`+
		`"resource_type":"RemediationRequest","resource_id":%q,"correlation_id":%q,"namespace":"shop-%d","event_data":{`+
		`"signal_name":"KubePodCrashLooping","signal_type":"prometheus-alert","fingerprint":%q,"target":{"kind":"Pod","name":"cart-%d"}}}`,
		id, at.UTC().Format(time.RFC3339Nano), kind, kind, outcome, severity,
		s.correlation(n), s.correlation(n), n%50, id, n%500)
}

// batch is the body with the events from the n-th on.
func (s source) batch(n int) []byte {
	events := make([][]byte, batchSize)
	for i := range events {
		events[i] = s.event(n + i)
	}
	return fmt.Appendf(nil, `{"events":[%s]}`, bytes.Join(events, []byte(",")))
}
