package openapitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Verdict says what the document must think of a request.
type Verdict int

const (
	// Sound requests are as the document describes them.
	Sound Verdict = iota
	// Faulty requests are not: a header is missing, the body does not fit.
	Faulty
)

// Send lets the handler answer the request, and checks both. The answer is returned
// in any case.
func (d *Document) Send(handler http.Handler, request *http.Request, verdict Verdict) (*httptest.ResponseRecorder, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, fmt.Errorf("read the body to send: %w", err)
	}
	asked := request.Clone(request.Context())
	request.Body = io.NopCloser(bytes.NewReader(body))
	asked.Body = io.NopCloser(bytes.NewReader(body))
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)

	return recorder, d.Check(asked, verdict, recorder.Result())
}

// Check holds a request and its answer against the document. Both bodies are read to
// their end. The error says what does not fit: the verdict on the request, or a
// status, a header or a body that the document does not have.
func (d *Document) Check(request *http.Request, verdict Verdict, answer *http.Response) error {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	operation, name := d.operation(request, answer.StatusCode)
	input := d.input(request, operation)
	if err := errors.Join(checkRequest(input, verdict), checkAnswer(input, answer, body)); err != nil {
		return fmt.Errorf("%s %s answered %d: %w", request.Method, request.URL.Path, answer.StatusCode, err)
	}
	d.seen[name] = true
	return nil
}

func (d *Document) input(request *http.Request, operation *openapi3.Operation) *openapi3filter.RequestValidationInput {
	item := d.spec.Paths.Value(request.URL.Path)
	if item == nil {
		item = &openapi3.PathItem{}
	}
	return &openapi3filter.RequestValidationInput{
		Request: request,
		Route: &routers.Route{
			Spec: d.spec, Path: request.URL.Path, PathItem: item,
			Method: request.Method, Operation: operation,
		},
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: authenticate},
	}
}

// authenticate tells whether the request has credentials of the scheme's form.
// Whether they are good is for the handler to say.
func authenticate(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	scheme := input.SecurityScheme
	if scheme.Type != "http" || scheme.Scheme != "bearer" {
		return fmt.Errorf("the security scheme %s is not a bearer token", input.SecuritySchemeName)
	}
	headers := input.RequestValidationInput.Request.Header.Values("Authorization")
	if len(headers) != 1 || !strings.HasPrefix(headers[0], "Bearer ") {
		return errors.New("there is not exactly one bearer token")
	}
	return nil
}

func checkRequest(input *openapi3filter.RequestValidationInput, verdict Verdict) error {
	// A document cannot say what a body without a media type is taken for.
	if input.Request.Header.Get("Content-Type") == "" {
		input.Request.Header.Set("Content-Type", "application/json")
	}
	err := openapi3filter.ValidateRequest(input.Request.Context(), input)
	switch {
	case verdict == Sound && err != nil:
		return fmt.Errorf("the document refuses the request: %w", err)
	case verdict == Faulty && err == nil:
		return errors.New("the document finds no fault with the request")
	}
	return nil
}

func checkAnswer(input *openapi3filter.RequestValidationInput, answer *http.Response, body []byte) error {
	ctx := input.Request.Context()
	err := openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: answer.StatusCode, Header: answer.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	})
	if err != nil {
		return fmt.Errorf("the document does not have the answer: %w", err)
	}
	response := input.Route.Operation.Responses.Status(answer.StatusCode)
	if response == nil {
		return errors.New("the document does not have the status")
	}
	if len(response.Value.Content) == 0 && len(body) > 0 {
		return errors.New("the document has no body for the answer")
	}
	return checkHeaders(response.Value, answer.Header)
}

// unsaid are the headers that belong to HTTP itself, not to an API.
func unsaid() []string {
	return []string{"Connection", "Content-Length", "Content-Type", "Date", "Vary"}
}

// checkHeaders wants the documented headers to be there, which the validator asks
// of some statuses only, and no others, which it never asks.
func checkHeaders(response *openapi3.Response, header http.Header) error {
	promised := make(map[string]bool)
	for name, promise := range response.Headers {
		name = http.CanonicalHeaderKey(name)
		promised[name] = true
		if promise.Value.Required && len(header.Values(name)) != 1 {
			return fmt.Errorf("the header %s is there %d times", name, len(header.Values(name)))
		}
	}
	for name := range header {
		if !promised[name] && !slices.Contains(unsaid(), name) {
			return fmt.Errorf("the document does not have the header %s", name)
		}
	}
	return nil
}
