package bench

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// maxReasons bounds how many different errors are shown.
const maxReasons = 5

// Tally counts the answers to one load.
type Tally struct {
	Requests int `json:"requests"`
	// Good answers had the status that the request was made for; all others, also
	// missing ones, are errors.
	Good   int `json:"good"`
	Errors int `json:"errors"`
	// Created and Counted are the answers 201 and 202.
	Created int `json:"created"`
	Counted int `json:"counted"`
	// Reasons are some of the errors, sorted.
	Reasons []string `json:"reasons,omitempty"`
	// Seconds is from the first request to the last answer.
	Seconds float64 `json:"seconds"`
	// P50, P99 and Max are latencies in milliseconds, of errors too.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// counter makes a Tally. Its zero value is ready.
type counter struct {
	tally   Tally
	metrics vegeta.Metrics
	reasons map[string]struct{}
}

func (c *counter) add(result *vegeta.Result) {
	c.metrics.Add(result)
	c.tally.Requests++
	switch int(result.Code) {
	case http.StatusCreated:
		c.tally.Created++
	case http.StatusAccepted:
		c.tally.Counted++
	}
	want := expected(result.URL)
	if want != 0 && int(result.Code) == want {
		c.tally.Good++
		return
	}
	c.tally.Errors++
	reason := result.Error
	if result.Code != 0 {
		reason = fmt.Sprintf("answered %d, wanted %d", result.Code, want)
	}
	if c.reasons == nil {
		c.reasons = map[string]struct{}{}
	}
	if len(c.reasons) < maxReasons {
		c.reasons[reason] = struct{}{}
	}
}

// done returns what was counted.
func (c *counter) done() Tally {
	t := c.tally
	if t.Requests == 0 {
		return t
	}
	c.metrics.Close()
	t.Reasons = slices.Sorted(maps.Keys(c.reasons))
	t.Seconds = c.metrics.End.Sub(c.metrics.Earliest).Seconds()
	t.P50, t.P99, t.Max = millis(c.metrics.Latencies.P50), millis(c.metrics.Latencies.P99), millis(c.metrics.Latencies.Max)
	return t
}

// PerSecond is the achieved throughput: good answers per second.
func (t Tally) PerSecond() float64 {
	if t.Seconds == 0 {
		return 0
	}
	return float64(t.Good) / t.Seconds
}

// Success is the share of good answers, from 0 to 1.
func (t Tally) Success() float64 {
	if t.Requests == 0 {
		return 0
	}
	return float64(t.Good) / float64(t.Requests)
}

// Events is how many audit events the answers promise: two for a new request, one
// for a duplicate.
func (t Tally) Events() int { return 2*t.Created + t.Counted }

func millis(d time.Duration) float64 {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 2, 64), 64)
	return rounded
}
