package datastorage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/test/infrastructure"
)

const (
	routeEvents = "/api/v1/audit/events"
	routeBatch  = "/api/v1/audit/events/batch"
	// answerBudget is longer than DataStorage works on any request.
	answerBudget = 30 * time.Second
	// resendPause is what Retry-After says.
	resendPause = 2 * time.Second
)

// client asks the running DataStorage. Its connections are kept, as those of a service
// are.
type client struct {
	env  hybrid.Environment
	http *http.Client
}

func newClient(env hybrid.Environment) client {
	return client{env: env, http: &http.Client{
		Timeout: answerBudget, Transport: &http.Transport{MaxIdleConnsPerHost: connections},
	}}
}

// ask sends a request to an endpoint and returns status and body of the answer.
func (c client) ask(ctx context.Context, method, endpoint, path string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.env.Endpoints[endpoint]+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer of %s: %w", request.URL, err)
	}
	return response.StatusCode, answer, nil
}

// do is ask, and returns the body of an answer with the wanted status.
func (c client) do(ctx context.Context, method, endpoint, path string, body []byte, wanted int) ([]byte, error) {
	status, answer, err := c.ask(ctx, method, endpoint, path, body)
	if err == nil && status != wanted {
		err = fmt.Errorf("%s %s answered %d, not %d: %.300s", method, path, status, wanted, answer)
	}
	return answer, err
}

// accept writes until the events are accepted, as every sender has to, and tells whether
// they had to be queued.
func (c client) accept(ctx context.Context, route string, body []byte) (queued bool, err error) {
	for {
		status, answer, err := c.ask(ctx, http.MethodPost, infrastructure.EndpointDataStorage, route, body)
		switch {
		case err != nil:
			return false, err
		case status == http.StatusCreated || status == http.StatusAccepted:
			return status == http.StatusAccepted, nil
		case status != http.StatusServiceUnavailable:
			return false, fmt.Errorf("POST %s answered %d: %.300s", route, status, answer)
		}
		pause := time.NewTimer(resendPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return false, context.Cause(ctx)
		case <-pause.C:
		}
	}
}

func (c client) write(ctx context.Context, route string, body []byte, status int) error {
	_, err := c.do(ctx, http.MethodPost, infrastructure.EndpointDataStorage, route, body, status)
	return err
}

// query asks for a page and returns how many events match.
func (c client) query(ctx context.Context, filter url.Values) (total int, cursor string, err error) {
	answer, err := c.do(ctx, http.MethodGet, infrastructure.EndpointDataStorage, routeEvents+"?"+filter.Encode(), nil, http.StatusOK)
	if err != nil {
		return 0, "", err
	}
	var page struct {
		Pagination struct {
			Total  int    `json:"total"`
			Cursor string `json:"next_cursor"`
		} `json:"pagination"`
	}
	if err := json.Unmarshal(answer, &page); err != nil {
		return 0, "", fmt.Errorf("read the page: %w", err)
	}
	return page.Pagination.Total, page.Pagination.Cursor, nil
}

// gauge reads metrics that have a single series.
func (c client) gauges(ctx context.Context, names ...string) ([]float64, error) {
	text, err := c.do(ctx, http.MethodGet, infrastructure.EndpointDataStorageMetrics, "/metrics", nil, http.StatusOK)
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse the metrics: %w", err)
	}
	values := make([]float64, len(names))
	for i, name := range names {
		family, found := families[name]
		if !found || len(family.GetMetric()) != 1 {
			return nil, fmt.Errorf("there is no single metric %s", name)
		}
		one := family.GetMetric()[0]
		values[i] = one.GetGauge().GetValue() + one.GetCounter().GetValue()
	}
	return values, nil
}

// together calls work for each number below count, from that many goroutines, until one
// fails.
func together(ctx context.Context, clients, count int, work func(ctx context.Context, n int) error) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range clients {
		group.Go(func() error {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= count {
					return nil
				}
				if err := work(ctx, n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
