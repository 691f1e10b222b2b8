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

// Send sends c and reads the whole answer. Only a missing answer is an error.
func (b *Bed) Send(ctx context.Context, c Call) (Answer, error) {
	base, ok := b.Env.Endpoints[c.Endpoint]
	if !ok {
		return Answer{}, fmt.Errorf("the environment has no endpoint %q", c.Endpoint)
	}
	request, err := http.NewRequestWithContext(ctx, c.Method, base+c.Path, bytes.NewReader(c.Body))
	if err != nil {
		return Answer{}, err
	}
	maps.Copy(request.Header, c.Header)
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

// Get asks the path of an endpoint.
func (b *Bed) Get(ctx context.Context, endpoint, path string) (Answer, error) {
	return b.Send(ctx, Call{Endpoint: endpoint, Method: http.MethodGet, Path: path})
}
