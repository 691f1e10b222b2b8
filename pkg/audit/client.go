package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// batchPath is DataStorage's route for several events.
const batchPath = "/api/v1/audit/events/batch"

// maxAnswer is as much of an answer as is read, in bytes, so that the connection
// can be used again.
const maxAnswer = 1 << 20

// idleTimeout is shorter than any server keeps a connection, so that batches are
// not sent into one that is being closed.
const idleTimeout = 30 * time.Second

// verdict says what DataStorage made of a batch.
type verdict int

const (
	taken   verdict = iota // stored or queued
	refused                // the same batch will never be taken
	away                   // not reached, overloaded or misconfigured: try later
)

// Client sends batches to DataStorage. Make one with NewClient.
type Client struct {
	url     string
	http    *http.Client
	timeout time.Duration
}

// NewClient makes a client of the DataStorage at the base URL. The timeout bounds
// one batch.
func NewClient(baseURL string, timeout time.Duration) *Client {
	return &Client{
		url:     strings.TrimSuffix(baseURL, "/") + batchPath,
		http:    &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: idleTimeout}},
		timeout: timeout,
	}
}

// send delivers one batch. The error explains every verdict but taken.
func (c *Client) send(ctx context.Context, events []Event) (verdict, error) {
	body, err := json.Marshal(map[string][]Event{"events": events})
	if err != nil {
		return refused, fmt.Errorf("encode %d audit events: %w", len(events), err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return away, fmt.Errorf("make the request to DataStorage: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return away, fmt.Errorf("send audit events: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch response.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted:
		return taken, nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return refused, fmt.Errorf("DataStorage refuses audit events with %s: %.300s", response.Status, answer)
	default:
		return away, fmt.Errorf("DataStorage answers %s: %.300s", response.Status, answer)
	}
}
