package openapitest

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const described = `
openapi: 3.1.1
info: {title: Things, version: "1"}
paths:
  /things:
    post:
      security: [{bearer: []}]
      parameters:
        - {name: X-Count, in: header, required: true, schema: {type: integer}}
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [name], properties: {name: {type: string}, colour: {$ref: '#/components/schemas/Colour'}}}
      responses:
        '201':
          description: Made.
          headers: {X-ID: {required: true, schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Made'}}}
        '304': {description: Nothing new., headers: {ETag: {required: true, schema: {type: string}}}}
        '400': {$ref: '#/components/responses/Bad'}
components:
  securitySchemes: {bearer: {type: http, scheme: bearer}}
  responses:
    Bad: {description: Bad.}
    NotFound: {description: Nothing there.}
    MethodNotAllowed: {description: Not so.}
  schemas:
    Colour: {anyOf: [{enum: [red, blue]}, {type: string}]}
    Made: {type: object, required: [kind], properties: {kind: {enum: [thing, part]}}, unevaluatedProperties: false}
`

func parsed(t *testing.T) *Document {
	t.Helper()
	d, err := Parse([]byte(described))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// answering answers with a status, headers and a body.
func answering(status int, header http.Header, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func posted(body string, change func(*http.Request)) *http.Request {
	request := httptest.NewRequest(http.MethodPost, "/things", strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer t")
	request.Header.Set("X-Count", "1")
	if change != nil {
		change(request)
	}
	return request
}

const made = `{"kind":"thing"}`

func headers() http.Header {
	return http.Header{"Content-Type": {"application/json"}, "X-Id": {"1"}, "Date": {"now"}}
}

func TestExchangesThatFit(t *testing.T) {
	d := parsed(t)
	none := http.Header{}
	for _, exchange := range []struct {
		request *http.Request
		verdict Verdict
		answer  http.Handler
	}{
		{posted(`{"name":"n"}`, nil), Sound, answering(201, headers(), made)},
		{posted(`{"name":"n"}`, nil), Sound, answering(304, http.Header{"Etag": {"1"}}, "")},
		{posted(`{"name":1}`, nil), Faulty, answering(400, none, "")},
		{posted(`{"name":"n"}`, func(r *http.Request) { r.Header.Del("X-Count") }), Faulty, answering(400, none, "")},
		{posted(`{"name":"n"}`, func(r *http.Request) { r.Header.Del("Authorization") }), Faulty, answering(400, none, "")},
		{posted(`{"name":"n"}`, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }), Faulty, answering(400, none, "")},
		{httptest.NewRequest(http.MethodGet, "/other", nil), Sound, answering(404, none, "")},
		{httptest.NewRequest(http.MethodGet, "/things", nil), Sound, answering(405, none, "")},
	} {
		if _, err := d.Send(exchange.answer, exchange.request, exchange.verdict); err != nil {
			t.Error(err)
		}
	}
	if unseen := d.Unseen(); len(unseen) != 0 {
		t.Errorf("unseen %q", unseen)
	}
}

func TestExchangesThatDoNotFit(t *testing.T) {
	more, twice, odd := headers(), headers(), headers()
	more["X-More"], twice["X-Id"], odd["Content-Type"] = []string{"1"}, []string{"1", "2"}, []string{"text/plain"}
	good := `{"name":"n"}`
	for want, exchange := range map[string]struct {
		request *http.Request
		verdict Verdict
		answer  http.Handler
	}{
		"the document refuses the request":           {posted(`{}`, nil), Sound, answering(201, headers(), made)},
		"the document finds no fault":                {posted(good, nil), Faulty, answering(201, headers(), made)},
		"status is not supported":                    {posted(good, nil), Sound, answering(200, headers(), made)},
		"doesn't match schema":                       {posted(good, nil), Sound, answering(201, headers(), `{"kind":"whole"}`)},
		"the document does not have the answer":      {posted(good, nil), Sound, answering(201, headers(), `{"kind":"part","more":1}`)},
		"the document does not have the header X-Mo": {posted(good, nil), Sound, answering(201, more, made)},
		"the header X-Id is there 2 times":           {posted(good, nil), Sound, answering(201, twice, made)},
		`header "X-ID" missing`:                      {posted(good, nil), Sound, answering(201, http.Header{"Content-Type": {"application/json"}}, made)},
		"the header Etag is there 0 times":           {posted(good, nil), Sound, answering(304, http.Header{}, "")},
		`"text/plain"`:                               {posted(good, nil), Sound, answering(201, odd, made)},
		"the document has no body":                   {posted(`{}`, nil), Faulty, answering(400, http.Header{}, "x")},
		"GET /other answered 405":                    {httptest.NewRequest(http.MethodGet, "/other", nil), Sound, answering(405, http.Header{}, "")},
	} {
		d := parsed(t)
		answer, err := d.Send(exchange.answer, exchange.request, exchange.verdict)
		if answer == nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if len(d.Unseen()) != 5 {
			t.Errorf("%s counts as seen: %q", want, d.Unseen())
		}
	}
}

func TestAnAnswerThatBreaksOffIsNoAnswer(t *testing.T) {
	answer := answering(201, headers(), made)
	recorder := httptest.NewRecorder()
	answer.ServeHTTP(recorder, posted("", nil))
	whole := recorder.Result()
	whole.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
	if err := parsed(t).Check(posted(`{"name":"n"}`, nil), Sound, whole); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}

func TestWhatADocumentPromises(t *testing.T) {
	d := parsed(t)
	if got := d.Routes(); !slices.Equal(got, []string{"POST /things"}) {
		t.Errorf("routes %q", got)
	}
	if got := d.Statuses("POST /things"); !slices.Equal(got, []string{"201", "304", "400"}) {
		t.Errorf("statuses %q", got)
	}
	for _, route := range []string{"GET /things", "POST /other"} {
		if got := d.Statuses(route); got != nil {
			t.Errorf("%s: statuses %q", route, got)
		}
	}
	want := []string{"MethodNotAllowed", "NotFound", "POST /things 201", "POST /things 304", "POST /things 400"}
	if got := d.Unseen(); !slices.Equal(got, want) {
		t.Errorf("unseen %q", got)
	}
	for name, test := range map[string]struct{ got, want []string }{
		"open":        {d.Enum("Colour"), []string{"blue", "red"}},
		"property":    {d.Enum("Made", "kind"), []string{"part", "thing"}},
		"none":        {d.Enum("Made"), nil},
		"no schema":   {d.Enum("Size"), nil},
		"no property": {d.Enum("Made", "size", "unit"), nil},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%s: %q", name, test.got)
		}
	}
}

func TestDocumentsThatAreNotOpenAPI31(t *testing.T) {
	for want, document := range map[string]string{
		"read the OpenAPI document": "openapi: [",
		`OpenAPI "3.0.3", not 3.1`:  strings.Replace(described, "3.1.1", "3.0.3", 1),
		"not valid OpenAPI 3.1":     strings.Replace(described, "title: Things, ", "", 1),
		"Colours":                   strings.Replace(described, "schemas/Colour'", "schemas/Colours'", 1),
		"nonsense":                  strings.Replace(described, "/things:\n", "/things:\n    nonsense: 1\n", 1),
	} {
		if _, err := Parse([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
