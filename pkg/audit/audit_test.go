package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// storage stands for DataStorage: it answers with the next status, then 201, and
// refuses any batch that holds a poisoned event.
type storage struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	stored   map[string]int
	batches  []int
	poison   string
}

func newStorage(t *testing.T, statuses ...int) *storage {
	s := &storage{statuses: statuses, stored: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Events []Event }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Method != http.MethodPost || r.URL.Path != "/api/v1/audit/events/batch" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.batches = append(s.batches, len(body.Events))
		if len(s.statuses) > 0 {
			status := s.statuses[0]
			s.statuses = s.statuses[1:]
			w.WriteHeader(status)
			return
		}
		for _, event := range body.Events {
			if s.poison != "" && event.CorrelationID == s.poison {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		for _, event := range body.Events {
			s.stored[event.EventID]++
		}
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *storage) snapshot() (stored int, batches []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.stored), append([]int(nil), s.batches...)
}

type counts struct {
	mu     sync.Mutex
	by     map[Fate]int
	buffer int
}

func (c *counts) Audit(fate Fate, events int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[Fate]int{}
	}
	c.by[fate] += events
}

func (c *counts) AuditBuffered(events int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buffer = events
}

func (c *counts) check(t *testing.T, want map[Fate]int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !reflect.DeepEqual(c.by, want) || c.buffer != 0 {
		t.Errorf("got %v with %d waiting, want %v", c.by, c.buffer, want)
	}
}

func sinkOf(t *testing.T, url string, options Options, recorded *counts) *Sink {
	return NewSink(t.Context(), NewClient(url+"/", time.Second), options, recorded, slog.New(slog.DiscardHandler))
}

func quick() Options {
	return Options{BatchSize: 10, BufferSize: 100, FlushInterval: 5 * time.Millisecond, MaxBackoff: 10 * time.Millisecond}
}

func events(n int) []Event {
	made := make([]Event, n)
	for i := range made {
		made[i] = NewEvent("gateway.signal.deduplicated", Success, Subject{Request: "rr-1"}, time.Now(), nil)
	}
	return made
}

func closeWithin(t *testing.T, s *Sink, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	s.Close(ctx)
}

func TestEventHasTheFormOfDataStorage(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 5, time.FixedZone("", 3600))
	event := NewEvent("gateway.crd.created", Success, Subject{Request: "rr-1", Namespace: "shop", Severity: "critical"}, now, map[string]any{"a": 1})
	content, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"event_id":"` + event.EventID + `","event_version":"1.0","event_timestamp":"2026-11-23T11:00:00.000000005Z",` +
		`"event_type":"gateway.crd.created","event_category":"gateway","event_action":"created","event_outcome":"success",` +
		`"severity":"critical","actor_type":"service","actor_id":"gateway","resource_type":"RemediationRequest","resource_id":"rr-1",` +
		`"correlation_id":"rr-1","namespace":"shop","event_data":{"a":1}}`
	if string(content) != want {
		t.Errorf("got\n%s\nwant\n%s", content, want)
	}
	failed := NewEvent("orders.order.pay_failed", Failed, Subject{}, now, nil)
	if failed.EventAction != "pay_failed" || failed.ActorID != "orders" || failed.EventOutcome != Failed || failed.EventData == nil {
		t.Errorf("got %+v", failed)
	}
}

func TestEventsAreSentInBatches(t *testing.T) {
	store, recorded := newStorage(t), &counts{}
	sink := sinkOf(t, store.URL, quick(), recorded)
	sink.Add(events(25)...)
	closeWithin(t, sink, 5*time.Second)
	stored, batches := store.snapshot()
	if stored != 25 || !reflect.DeepEqual(batches, []int{10, 10, 5}) {
		t.Errorf("stored %d in %v", stored, batches)
	}
	recorded.check(t, map[Fate]int{Sent: 25})
}

func TestEventsAreSentWithoutFurtherOnes(t *testing.T) {
	store, recorded := newStorage(t), &counts{}
	sink := sinkOf(t, store.URL, quick(), recorded)
	sink.Add(events(3)...)
	deadline := time.After(5 * time.Second)
	for stored, _ := store.snapshot(); stored != 3; stored, _ = store.snapshot() {
		select {
		case <-deadline:
			t.Fatal("not sent")
		case <-time.After(time.Millisecond):
		}
	}
	closeWithin(t, sink, time.Second)
}

func TestEventsOutliveAnOutage(t *testing.T) {
	store, recorded := newStorage(t, 503, 500, 404, 401), &counts{}
	sink := sinkOf(t, store.URL, quick(), recorded)
	sink.Add(events(12)...)
	closeWithin(t, sink, 10*time.Second)
	if stored, _ := store.snapshot(); stored != 12 {
		t.Errorf("stored %d", stored)
	}
	recorded.check(t, map[Fate]int{Sent: 12})
}

func TestAPoisonedEventTakesNoOthersWithIt(t *testing.T) {
	store, recorded := newStorage(t), &counts{}
	store.poison = "bad"
	sink := sinkOf(t, store.URL, quick(), recorded)
	batch := events(10)
	batch[6].CorrelationID = "bad"
	sink.Add(batch...)
	closeWithin(t, sink, 5*time.Second)
	if stored, _ := store.snapshot(); stored != 9 {
		t.Errorf("stored %d", stored)
	}
	recorded.check(t, map[Fate]int{Sent: 9, Rejected: 1})
}

func TestOverflowKeepsTheOldest(t *testing.T) {
	store, recorded := newStorage(t), &counts{}
	options := quick()
	options.BufferSize, options.BatchSize, options.FlushInterval = 5, 100, time.Hour
	sink := sinkOf(t, store.URL, options, recorded)
	batch := events(8)
	sink.Add(batch...)
	sink.Add(events(1)...)
	closeWithin(t, sink, 5*time.Second)
	recorded.check(t, map[Fate]int{Sent: 5, Overflow: 4})
	for _, event := range batch[:5] {
		if store.stored[event.EventID] != 1 {
			t.Errorf("one of the oldest is missing")
		}
	}
}

func TestWhatCannotBeSentAtTheEndIsCounted(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	recorded, logs := &counts{}, &bytes.Buffer{}
	sink := NewSink(t.Context(), NewClient(gone.URL, time.Second), quick(), recorded, slog.New(slog.NewJSONHandler(logs, nil)))
	sink.Add(events(4)...)
	closeWithin(t, sink, 50*time.Millisecond)
	sink.Add(events(2)...)
	recorded.check(t, map[Fate]int{Lost: 6})
	if !strings.Contains(logs.String(), "audit events are lost") {
		t.Errorf("logs %s", logs)
	}
	closeWithin(t, sink, time.Second) // A second end is harmless.
}

func TestNoSinkTakesEvents(t *testing.T) {
	var sink *Sink
	sink.Add(events(1)...)
	sink.Close(t.Context())
}

func TestABadURLIsNotAnEnd(t *testing.T) {
	if result, err := NewClient("http://\x7f", time.Second).send(t.Context(), nil); result != away || err == nil {
		t.Errorf("got %v, %v", result, err)
	}
	broken := events(1)
	broken[0].EventData["x"] = make(chan int)
	if result, err := NewClient("http://x", time.Second).send(t.Context(), broken); result != refused || err == nil {
		t.Errorf("got %v, %v", result, err)
	}
}
