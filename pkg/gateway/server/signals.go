package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/pkg/audit"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/adapters"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/gateway/processing"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// The types of the audit events.
const (
	signalReceived     audit.EventType = "gateway.signal.received"
	signalDeduplicated audit.EventType = "gateway.signal.deduplicated"
	crdCreated         audit.EventType = "gateway.crd.created"
	crdCreationFailed  audit.EventType = "gateway.crd.creation_failed"
)

// retryAfterFailure gives a short outage of the API server time to pass.
const retryAfterFailure = 5 * time.Second

// receive answers the bodies that the adapter understands.
func (s *Server) receive(adapter Adapter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			problem.Write(w, r, problem.Problem{Type: problem.TypeValidation, Detail: "The body cannot be read."})
			return
		}
		parsed, err := adapter.Parse(body, s.Now())
		if err != nil {
			s.Metrics.Rejected(metrics.ReasonMalformed)
			problem.Write(w, r, problem.Problem{Type: problem.TypeValidation, Detail: sentence(err)})
			return
		}
		// A sender that goes away does not undo what is begun: its signal is stored
		// and audited like any other.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.Config.Processing.Timeout.Std())
		defer cancel()
		results := s.processAll(ctx, parsed)
		if len(results) == 1 {
			s.answerSingle(w, r, results[0])
			return
		}
		s.answerSeveral(w, r, results)
	}
}

func (s *Server) processAll(ctx context.Context, parsed []adapters.Parsed) []Result {
	results := make([]Result, len(parsed))
	var group errgroup.Group
	group.SetLimit(s.Config.Processing.BatchParallelism)
	for i, one := range parsed {
		group.Go(func() error {
			results[i] = s.process(ctx, one)
			results[i].Index = i
			return nil
		})
	}
	_ = group.Wait() // The functions report in results, never by an error.
	return results
}

// process does all that one signal asks for, and tells metrics and audit of it.
func (s *Server) process(ctx context.Context, parsed adapters.Parsed) Result {
	if parsed.Err != nil {
		s.Metrics.Rejected(metrics.ReasonValidation)
		s.Logger.InfoContext(ctx, "signal rejected", "reason", parsed.Err.Error())
		return Result{Status: StatusRejected, Detail: sentence(parsed.Err)}
	}
	signal := parsed.Signal
	fingerprint := signal.Fingerprint()
	s.Metrics.Received(signal.Type, signal.Severity)
	if signal.Resolved {
		s.Logger.InfoContext(ctx, "signal resolved", "fingerprint", fingerprint, "signal", signal.Name)
		return Result{Status: StatusResolved, Fingerprint: fingerprint}
	}
	outcome, err := s.Recorder.Record(ctx, signal)
	if err != nil {
		return s.failed(ctx, signal, fingerprint, err)
	}
	s.account(signal, fingerprint, outcome)
	result := Result{
		Status: StatusDuplicate, Fingerprint: fingerprint, Name: outcome.Name,
		Namespace: outcome.Namespace, occurrences: outcome.Occurrences,
	}
	if outcome.Created {
		result.Status = StatusCreated
	}
	s.Logger.InfoContext(ctx, "signal recorded", "status", string(result.Status), "fingerprint", fingerprint,
		"signal", signal.Name, "request", outcome.Name, "namespace", outcome.Namespace, "occurrence", outcome.Occurrences)
	return result
}

// account tells metrics and audit of a stored signal.
func (s *Server) account(signal adapters.Signal, fingerprint string, outcome processing.Outcome) {
	about := audit.Subject{Request: outcome.Name, Namespace: outcome.Namespace, Severity: string(signal.Severity)}
	now := s.Now()
	if !outcome.Created {
		s.Metrics.Deduplicated(signal.Type)
		data := eventData(signal, fingerprint)
		data["occurrence_count"] = outcome.Occurrences
		s.Audit.Add(audit.NewEvent(signalDeduplicated, audit.Success, about, now, data))
		return
	}
	placement := metrics.PlacementTarget
	if outcome.Fallback {
		placement = metrics.PlacementFallback
	}
	s.Metrics.Created(signal.Type, placement)
	data := eventData(signal, fingerprint)
	data["fallback"] = outcome.Fallback
	s.Audit.Add(
		audit.NewEvent(signalReceived, audit.Success, about, signal.ReceivedTime, eventData(signal, fingerprint)),
		audit.NewEvent(crdCreated, audit.Success, about, now, data),
	)
}

func (s *Server) failed(ctx context.Context, signal adapters.Signal, fingerprint string, err error) Result {
	kind := processing.ErrorType(err)
	s.Metrics.CreationFailed(kind)
	s.Logger.ErrorContext(ctx, "signal not recorded", "fingerprint", fingerprint, "signal", signal.Name,
		"namespace", signal.Target.Namespace, "error_type", kind, "error", err)
	// Without a name the first half of it, common to all requests of the problem,
	// still finds the event.
	request := "rr-" + fingerprint[:12]
	var failure *processing.RecordError
	if errors.As(err, &failure) && failure.Request != "" {
		request = failure.Request
	}
	data := eventData(signal, fingerprint)
	data["error_type"] = kind
	s.Audit.Add(audit.NewEvent(crdCreationFailed, audit.Failed, audit.Subject{
		Request: request, Namespace: signal.Target.Namespace, Severity: string(signal.Severity),
	}, s.Now(), data))

	result := Result{
		Status: StatusFailed, Fingerprint: fingerprint,
		Detail: "The signal could not be stored. Send it again.", transient: true,
	}
	if processing.Permanent(err) {
		s.Metrics.Rejected(metrics.ReasonRefused)
		result.transient, result.Detail = false, "Kubernetes refuses to store this signal."
	}
	return result
}

func eventData(signal adapters.Signal, fingerprint string) map[string]any {
	return map[string]any{
		"fingerprint": fingerprint,
		"signal_name": signal.Name,
		"signal_type": string(signal.Type),
		"target": map[string]string{
			"kind": signal.Target.Kind, "name": signal.Target.Name, "namespace": signal.Target.Namespace,
		},
	}
}

func (s *Server) answerSingle(w http.ResponseWriter, r *http.Request, result Result) {
	answer := Single{
		Status: result.Status, Fingerprint: result.Fingerprint, Name: result.Name, Namespace: result.Namespace,
		RequestID: problem.RequestID(r.Context()), OccurrenceCount: result.occurrences,
	}
	switch {
	case result.Status == StatusCreated:
		writeJSON(w, http.StatusCreated, answer)
	case result.Status == StatusDuplicate:
		writeJSON(w, http.StatusAccepted, answer)
	case result.Status == StatusResolved:
		writeJSON(w, http.StatusOK, answer)
	case result.transient:
		problem.Write(w, r, problem.Problem{
			Type: problem.TypeServiceUnavailable, Detail: result.Detail, RetryAfter: retryAfterFailure,
		})
	default:
		problem.Write(w, r, problem.Problem{Type: problem.TypeValidation, Detail: result.Detail})
	}
}

// answerSeveral answers 207, unless an alert failed that is worth sending again:
// then the whole answer asks for that, since a sender looks at the status only.
func (s *Server) answerSeveral(w http.ResponseWriter, r *http.Request, results []Result) {
	answer := Several{Summary: summarize(results), Results: results, RequestID: problem.RequestID(r.Context())}
	for _, result := range results {
		if result.transient {
			problem.Write(w, r, problem.Problem{
				Type:       problem.TypeServiceUnavailable,
				Detail:     "Some alerts could not be stored. Send all of them again; those that are stored are counted as duplicates.",
				Extensions: map[string]any{"summary": answer.Summary, "results": answer.Results},
				RetryAfter: retryAfterFailure,
			})
			return
		}
	}
	writeJSON(w, http.StatusMultiStatus, answer)
}

// sentence makes the text of an adapter's error fit for an answer.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
