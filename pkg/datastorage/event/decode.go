package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// BatchError says which event of a batch is wrong. Nothing of the batch is accepted.
type BatchError struct {
	// Index of the first bad event, from 0.
	Index int
	Err   error
}

// Error names the event in the way that a sender would write it.
func (e *BatchError) Error() string { return fmt.Sprintf("events[%d]: %v", e.Index, e.Err) }

// Unwrap returns the mistake itself.
func (e *BatchError) Unwrap() error { return e.Err }

// Decode reads one event from the body of a request. Unknown fields are refused: the
// table has no room for them, so they would be lost silently.
func Decode(body []byte, rules Rules) (Event, error) {
	var w wire
	if err := strict(body, &w); err != nil {
		return Event{}, err
	}
	return rules.accept(w)
}

// DecodeBatch reads {"events": [...]} with one to most events. A bad event is
// reported as a *BatchError.
func DecodeBatch(body []byte, most int, rules Rules) ([]Event, error) {
	var batch struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := strict(body, &batch); err != nil {
		return nil, err
	}
	switch {
	case len(batch.Events) == 0:
		return nil, errors.New("events must hold at least one event")
	case len(batch.Events) > most:
		return nil, fmt.Errorf("events holds %d events, at most %d are allowed", len(batch.Events), most)
	}
	events := make([]Event, 0, len(batch.Events))
	for i, raw := range batch.Events {
		e, err := Decode(raw, rules)
		if err != nil {
			return nil, &BatchError{Index: i, Err: err}
		}
		events = append(events, e)
	}
	return events, nil
}

// strict decodes exactly one JSON object with known fields, and words the errors for
// the sender.
func strict(body []byte, target any) error {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 {
		return errors.New("the body is empty")
	} else if trimmed[0] != '{' {
		return errors.New("must be a JSON object")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(target); err != nil {
		return forSender(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one JSON value")
	}
	return nil
}

func forSender(err error) error {
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fmt.Errorf("%s must not be a JSON %s", wrongType.Field, wrongType.Value)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return fmt.Errorf("%s is not a known field", strings.TrimPrefix(err.Error(), "json: unknown field "))
	default:
		return errors.New("not valid JSON")
	}
}
