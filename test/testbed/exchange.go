package testbed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
)

// Answer is what a service said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Call is one HTTP request to an endpoint of the suite.
type Call struct {
	Endpoint string
	Method   string
	// Path is the path with its query.
	Path   string
	Body   []byte
	Header http.Header
}

// Request returns c as it is sent.
func (b *Bed) Request(ctx context.Context, c Call) (*http.Request, error) {
	base, ok := b.Env.Endpoints[c.Endpoint]
	if !ok {
		return nil, fmt.Errorf("the environment has no endpoint %q", c.Endpoint)
	}
	request, err := http.NewRequestWithContext(ctx, c.Method, base+c.Path, bytes.NewReader(c.Body))
	if err != nil {
		return nil, err
	}
	maps.Copy(request.Header, c.Header)
	return request, nil
}

// Send sends c and reads the whole answer. Only a missing answer is an error.
func (b *Bed) Send(ctx context.Context, c Call) (Answer, error) {
	request, err := b.Request(ctx, c)
	if err != nil {
		return Answer{}, err
	}
	response, err := b.http.Do(request)
	if err != nil {
		return Answer{}, err
	}
	body, err := io.ReadAll(response.Body)
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer of %s: %w", request.URL, err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// Post sends a JSON body to the path of an endpoint.
func (b *Bed) Post(ctx context.Context, endpoint, path string, body []byte) (Answer, error) {
	return b.Send(ctx, Call{
		Endpoint: endpoint, Method: http.MethodPost, Path: path, Body: body,
		Header: http.Header{"Content-Type": {"application/json"}},
	})
}

// Get asks the path of an endpoint.
func (b *Bed) Get(ctx context.Context, endpoint, path string) (Answer, error) {
	return b.Send(ctx, Call{Endpoint: endpoint, Method: http.MethodGet, Path: path})
}
