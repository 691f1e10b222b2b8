package server

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Status says what became of a signal.
type Status string

// The statuses. Single signals are answered with the first three; the others
// appear in the results of a webhook with several alerts.
const (
	StatusCreated   Status = "created"
	StatusDuplicate Status = "duplicate"
	StatusResolved  Status = "resolved"
	StatusRejected  Status = "rejected"
	StatusFailed    Status = "failed"
)

// Single is the answer to one signal.
type Single struct {
	Status      Status `json:"status"`
	Fingerprint string `json:"fingerprint"`
	// Name and Namespace are the request's; empty for a resolved signal.
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	RequestID string `json:"request_id"`
	// OccurrenceCount is the number of this signal in the request, from 1.
	OccurrenceCount int64 `json:"occurrence_count,omitempty"`
}

// Result is the answer to one alert of several.
type Result struct {
	// Index is the place of the alert in the webhook, from 0.
	Index       int    `json:"index"`
	Status      Status `json:"status"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Name        string `json:"name,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	// Detail says why an alert was rejected or failed.
	Detail string `json:"detail,omitempty"`

	occurrences int64
	// transient tells that a failed alert is worth sending again.
	transient bool
}

// Summary counts the results.
type Summary struct {
	Total        int `json:"total"`
	Created      int `json:"created"`
	Deduplicated int `json:"deduplicated"`
	Resolved     int `json:"resolved"`
	Rejected     int `json:"rejected"`
	Failed       int `json:"failed"`
}

// Several is the answer to a webhook with several alerts.
type Several struct {
	Summary   Summary  `json:"summary"`
	Results   []Result `json:"results"`
	RequestID string   `json:"request_id"`
}

func summarize(results []Result) Summary {
	summary := Summary{Total: len(results)}
	for _, result := range results {
		switch result.Status {
		case StatusCreated:
			summary.Created++
		case StatusDuplicate:
			summary.Deduplicated++
		case StatusResolved:
			summary.Resolved++
		case StatusRejected:
			summary.Rejected++
		default:
			summary.Failed++
		}
	}
	return summary
}

// writeJSON answers with a body that always has a JSON form.
func writeJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic("encode an answer: " + err.Error()) // Answered with 500 by the middleware.
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(encoded)))
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}
