package event

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

const id = "0190d2c4-7e1f-7c3a-9b57-2f4d3c1b0a99"

func rules() Rules {
	return Rules{
		Now: time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC), MaxAge: 7 * 24 * time.Hour, MaxAhead: 5 * time.Minute,
	}
}

// fields is a complete event as a sender would build it.
func fields() map[string]any {
	return map[string]any{
		"event_id": id, "event_version": "1.0", "event_timestamp": "2026-03-03T12:00:00.123456789+01:00",
		"event_type": "gateway.signal.received", "event_category": "gateway", "event_action": "received",
		"event_outcome": "success", "severity": "critical", "actor_type": "service", "actor_id": "gateway",
		"resource_type": "RemediationRequest", "resource_id": "rr-1", "correlation_id": "rr-1",
		"namespace": "prod", "cluster_name": "east", "event_data": map[string]any{"b": 1, "a": "<ä>"},
	}
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestDecode(t *testing.T) {
	got, err := Decode(encode(t, fields()), rules())
	if err != nil {
		t.Fatal(err)
	}
	want := Event{
		ID: uuid.MustParse(id), Version: "1.0", Timestamp: time.Date(2026, 3, 3, 11, 0, 0, 123456000, time.UTC),
		Type: "gateway.signal.received", Category: "gateway", Action: "received", Outcome: "success", Severity: "critical",
		ActorType: "service", ActorID: "gateway", ResourceType: "RemediationRequest", ResourceID: "rr-1",
		CorrelationID: "rr-1", Namespace: "prod", ClusterName: "east", Data: json.RawMessage(`{"a":"<ä>","b":1}`),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	// What goes into the queue comes out of it the same.
	var again Event
	if err := json.Unmarshal(encode(t, got), &again); err != nil {
		t.Fatal(err)
	}
	again.Data = got.Data // json.Marshal escapes <, which means the same.
	if !reflect.DeepEqual(again, got) {
		t.Errorf("after the queue %+v, want %+v", again, got)
	}
}

func TestDecodeWithoutOptionalFields(t *testing.T) {
	sent := fields()
	for _, name := range []string{"severity", "resource_type", "resource_id", "namespace", "cluster_name"} {
		delete(sent, name)
	}
	if _, err := Decode(encode(t, sent), rules()); err != nil {
		t.Errorf("error %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	type change map[string]any
	long := func(n int) string { return strings.Repeat("ä", n+1) }
	for want, c := range map[string]change{
		"event_id must be a UUID":       {"event_id": "{" + id + "}"},
		"event_version must be \"1.0\"": {"event_version": "2.0"},
		"event_timestamp must be RFC 3339, for example 2006-01-02T15:04:05.999Z":          {"event_timestamp": "yesterday"},
		"event_timestamp is more than 5m0s ahead of the server's clock":                   {"event_timestamp": "2026-03-03T12:05:00.001Z"},
		"event_timestamp is more than 168h0m0s old":                                       {"event_timestamp": "2026-02-24T11:59:59Z"},
		"event_type is longer than 100 characters":                                        {"event_type": long(MaxType)},
		"event_category is longer than 50 characters":                                     {"event_category": long(MaxCategory)},
		"event_action is longer than 50 characters":                                       {"event_action": long(MaxAction)},
		"actor_type is longer than 50 characters":                                         {"actor_type": long(MaxActorType)},
		"actor_id is longer than 255 characters":                                          {"actor_id": long(MaxActorID)},
		"resource_type is longer than 100 characters":                                     {"resource_type": long(MaxResourceType)},
		"resource_id is longer than 255 characters":                                       {"resource_id": long(MaxResourceID)},
		"correlation_id is longer than 255 characters":                                    {"correlation_id": long(MaxCorrelationID)},
		"namespace is longer than 253 characters":                                         {"namespace": long(MaxNamespace)},
		"cluster_name is longer than 255 characters":                                      {"cluster_name": long(MaxClusterName)},
		"event_outcome must be one of success, failure, pending":                          {"event_outcome": "maybe"},
		"severity must be one of critical, warning, info":                                 {"severity": "loud"},
		"correlation_id must not contain the character U+0000":                            {"correlation_id": "a\x00"},
		"event_data must be a JSON object":                                                {"event_data": []int{1}},
		"event_data must not contain the character U+0000":                                {"event_data": map[string]any{"a\x00": 1}},
		"event_data contains a number that is out of range":                               {"event_data": json.RawMessage(`{"a": [1e309]}`)},
		"event_type must not be a JSON number":                                            {"event_type": 7},
		"\"colour\" is not a known field":                                                 {"colour": "red"},
		"event_id must be a UUID; event_outcome must be one of success, failure, pending": {"event_id": uuid.Nil.String(), "event_outcome": "?"},
	} {
		t.Run(want, func(t *testing.T) {
			sent := fields()
			maps.Copy(sent, c)
			_, err := Decode(encode(t, sent), rules())
			if err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}

func TestDecodeRequires(t *testing.T) {
	for _, name := range []string{
		"event_id", "event_timestamp", "event_type", "event_category", "event_action", "event_outcome",
		"actor_type", "actor_id", "correlation_id", "event_data",
	} {
		sent := fields()
		delete(sent, name)
		if _, err := Decode(encode(t, sent), rules()); err == nil || err.Error() != name+" is required" {
			t.Errorf("without %s: error %v", name, err)
		}
	}
}

func TestDecodeRefusesBodies(t *testing.T) {
	for body, want := range map[string]string{
		"":        "the body is empty",
		" \n":     "the body is empty",
		"[]":      "must be a JSON object",
		"null":    "must be a JSON object",
		"{":       "not valid JSON",
		`{"a"}`:   "not valid JSON",
		"{} {}":   "there is more than one JSON value",
		"{} junk": "there is more than one JSON value",
	} {
		if _, err := Decode([]byte(body), rules()); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", body, err, want)
		}
	}
}

func TestBoundsOfTheTimestampAreIncluded(t *testing.T) {
	for _, at := range []string{"2026-03-03T12:05:00Z", "2026-02-24T12:00:00Z"} {
		sent := fields()
		sent["event_timestamp"] = at
		if _, err := Decode(encode(t, sent), rules()); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestEventData(t *testing.T) {
	for sent, want := range map[string]string{
		`{}`:                       `{}`,
		`{"n": 1e308, "m": -1.50}`: `{"m":-1.50,"n":1e308}`,
		// A lone surrogate has no character; jsonb would refuse it.
		`{"s": "\ud800"}`: "{\"s\":\"\ufffd\"}",
		`{"a":1,"a":2}`:   `{"a":2}`,
	} {
		got, err := rawData(sent).canonical()
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v, want %s", sent, got, err, want)
		}
	}
	for _, sent := range []string{
		`{"a": ` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`,
		`{"a": 1e99999999999999999999}`,
		`{"a": 1e-309}`,
		`{"a": ` + strings.Repeat("9", maxNumberDigits+1) + `}`,
		`{"a": "\u0000"}`,
		`{"a":`,
	} {
		if got, err := rawData(sent).canonical(); err == nil {
			t.Errorf("%s: accepted as %s", sent, got)
		}
	}
}

func TestDecodeBatch(t *testing.T) {
	second := fields()
	second["event_id"] = uuid.NewString()
	body := encode(t, map[string]any{"events": []any{fields(), second}})
	events, err := DecodeBatch(body, 2, rules())
	if err != nil || len(events) != 2 || events[0].ID.String() != id || events[1].ID.String() != second["event_id"] {
		t.Errorf("got %+v, %v", events, err)
	}
}

func TestDecodeBatchRefuses(t *testing.T) {
	bad := fields()
	bad["event_outcome"] = "maybe"
	_, err := DecodeBatch(encode(t, map[string]any{"events": []any{fields(), bad, bad}}), 3, rules())
	var batch *BatchError
	if !errors.As(err, &batch) || batch.Index != 1 {
		t.Fatalf("error %v, want a BatchError for index 1", err)
	}
	if want := "events[1]: event_outcome must be one of success, failure, pending"; err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if batch.Unwrap() == nil {
		t.Error("nothing to unwrap")
	}
	for body, want := range map[string]string{
		`{}`:                         "events must hold at least one event",
		`{"events": []}`:             "events must hold at least one event",
		`{"events": [{},{},{}, {}]}`: "events holds 4 events, at most 3 are allowed",
		`{"events": [7]}`:            "events[0]: must be a JSON object",
		`{"events": {}}`:             "events must not be a JSON object",
		`{"event": []}`:              `"event" is not a known field`,
	} {
		if _, err := DecodeBatch([]byte(body), 3, rules()); err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", body, err, want)
		}
	}
}

func TestUnique(t *testing.T) {
	a, b := Event{ID: uuid.New(), Type: "first"}, Event{ID: uuid.New()}
	again := a
	again.Type = "second"
	if got := Unique([]Event{a, b, again, b}); !reflect.DeepEqual(got, []Event{a, b}) {
		t.Errorf("got %+v", got)
	}
}

func TestDateIsTheDayInUTC(t *testing.T) {
	east := time.FixedZone("east", 3600)
	got := Event{Timestamp: time.Date(2026, 3, 1, 0, 30, 0, 0, east)}.Date()
	if want := time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCorrelations(t *testing.T) {
	got := Correlations([]Event{{CorrelationID: "b"}, {CorrelationID: "a"}, {CorrelationID: "b"}})
	if want := []string{"b", "a"}; !slices.Equal(got, want) {
		t.Errorf("correlations %v, want %v", got, want)
	}
}
