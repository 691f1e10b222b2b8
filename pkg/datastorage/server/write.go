package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/datastorage/event"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/datastorage/recorder"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// The kinds of write requests, as the metrics name them.
const (
	kindSingle = "single"
	kindBatch  = "batch"
)

// eventAnswer answers a single write.
type eventAnswer struct {
	ID        uuid.UUID       `json:"event_id"`
	Status    recorder.Status `json:"status"`
	Timestamp time.Time       `json:"event_timestamp"`
}

// batchAnswer answers a batch; Count and IDs cover every event of the request.
type batchAnswer struct {
	Status recorder.Status `json:"status"`
	Count  int             `json:"count"`
	IDs    []uuid.UUID     `json:"event_ids"`
}

func (s *Server) writeEvent(w http.ResponseWriter, r *http.Request) {
	body, done, ok := s.read(w, r, s.config.Server.MaxEventBytes)
	if !ok {
		return
	}
	defer done()
	e, err := event.Decode(body, s.rules())
	if err != nil {
		s.invalid(w, r, err)
		return
	}
	outcome, ok := s.record(w, r, kindSingle, []event.Event{e})
	if !ok {
		return
	}
	s.answer(w, r, statusOf(outcome), eventAnswer{ID: e.ID, Status: outcome.Status, Timestamp: e.Timestamp})
}

func (s *Server) writeBatch(w http.ResponseWriter, r *http.Request) {
	body, done, ok := s.read(w, r, s.config.Server.MaxBatchBytes)
	if !ok {
		return
	}
	defer done()
	events, err := event.DecodeBatch(body, s.config.Server.MaxBatchEvents, s.rules())
	if err != nil {
		s.invalid(w, r, err)
		return
	}
	outcome, ok := s.record(w, r, kindBatch, events)
	if !ok {
		return
	}
	ids := make([]uuid.UUID, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	s.answer(w, r, statusOf(outcome), batchAnswer{Status: outcome.Status, Count: len(events), IDs: ids})
}

func statusOf(outcome recorder.Outcome) int {
	if outcome.Status == recorder.Stored {
		return http.StatusCreated
	}
	return http.StatusAccepted
}

// record hands events over and answers the errors itself; ok says whether there is
// something left to answer.
func (s *Server) record(w http.ResponseWriter, r *http.Request, kind string, events []event.Event) (outcome recorder.Outcome, ok bool) {
	started := time.Now()
	outcome, err := s.Recorder.Record(r.Context(), events)
	took := time.Since(started)

	var refused *recorder.RefusedError
	switch {
	case err == nil:
		s.Metrics.Write(kind, string(outcome.Status), len(events), took)
		if outcome.Status == recorder.Stored {
			s.Metrics.Duplicates(int64(len(events)) - outcome.Fresh)
		}
		return outcome, true
	case errors.As(err, &refused):
		s.Metrics.Write(kind, metrics.ResultRejected, len(events), took)
		s.Log.WarnContext(r.Context(), "events refused by the database",
			"request_id", problem.RequestID(r.Context()), "error", err.Error())
		cause := errors.New("the database cannot represent a value of this event")
		if kind == kindBatch && refused.Index >= 0 {
			s.invalid(w, r, &event.BatchError{Index: refused.Index, Err: cause})
		} else {
			s.invalid(w, r, cause)
		}
	default:
		s.Metrics.Write(kind, metrics.ResultFailed, len(events), took)
		s.Log.ErrorContext(r.Context(), "events not accepted",
			"request_id", problem.RequestID(r.Context()), "count", len(events), "error", err.Error())
		problem.Write(w, r, problem.Problem{
			Type: problem.TypeServiceUnavailable, RetryAfter: retryAfter,
			Detail: "Neither the database nor the queue can take events at the moment. Nothing was accepted.",
		})
	}
	return recorder.Outcome{}, false
}

// read returns the body, or answers why it cannot. While the request runs the body
// counts against the bytes that all writes may hold; done gives them back.
func (s *Server) read(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, done func(), ok bool) {
	size := r.ContentLength
	if size < 0 || size > limit {
		size = limit
	}
	if !s.bodies.TryAcquire(size) {
		s.overloaded(w, r)
		return nil, nil, false
	}
	done = func() { s.bodies.Release(size) }
	buffer := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := buffer.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return buffer.Bytes(), done, true
	case errors.As(err, &tooLarge):
		s.Metrics.Rejected(metrics.ReasonTooLarge)
		problem.Write(w, r, problem.Problem{
			Type: problem.TypePayloadTooLarge, Detail: fmt.Sprintf("The body is larger than %d bytes.", tooLarge.Limit),
		})
	default:
		s.invalid(w, r, errors.New("the body could not be read completely"))
	}
	done()
	return nil, nil, false
}

// invalid answers 400. For a batch the body has the index as a member of its own.
func (s *Server) invalid(w http.ResponseWriter, r *http.Request, err error) {
	s.Metrics.Rejected(metrics.ReasonInvalid)
	p := problem.Problem{Type: problem.TypeValidation, Detail: err.Error()}
	if batch, ok := errors.AsType[*event.BatchError](err); ok {
		p.Extensions = map[string]any{"index": batch.Index}
	}
	problem.Write(w, r, p)
}

// answer writes a JSON answer.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		s.Log.ErrorContext(r.Context(), "answer not encoded", "request_id", problem.RequestID(r.Context()), "error", err.Error())
		problem.Write(w, r, problem.Problem{Type: problem.TypeInternal, Detail: "The answer could not be written."})
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	// A sender that went away is the only possible error.
	_, _ = w.Write(append(encoded, '\n'))
}
