package problem

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"
)

func TestWriteFillsWhatTheKindImplies(t *testing.T) {
	for kind, want := range map[string]struct {
		status int
		title  string
	}{
		TypeValidation:           {400, "Validation Error"},
		TypeUnauthorized:         {401, "Unauthorized"},
		TypeForbidden:            {403, "Forbidden"},
		TypeNotFound:             {404, "Not Found"},
		TypeMethodNotAllowed:     {405, "Method Not Allowed"},
		TypePayloadTooLarge:      {413, "Payload Too Large"},
		TypeUnsupportedMediaType: {415, "Unsupported Media Type"},
		TypeTooManyRequests:      {429, "Too Many Requests"},
		TypeInternal:             {500, "Internal Server Error"},
		TypeServiceUnavailable:   {503, "Service Unavailable"},
	} {
		request := httptest.NewRequest(http.MethodPost, "/api/v1/signals/prometheus?x=1", nil)
		request = request.WithContext(WithRequestID(request.Context(), "id-1"))
		recorder := httptest.NewRecorder()
		Write(recorder, request, Problem{Type: kind, Detail: "because"})

		if recorder.Code != want.status {
			t.Errorf("%s: status %d, want %d", kind, recorder.Code, want.status)
		}
		if got := recorder.Header().Get("Content-Type"); got != ContentType {
			t.Errorf("%s: content type %q", kind, got)
		}
		var got Problem
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		expected := Problem{
			Type: kind, Title: want.title, Status: want.status, Detail: "because",
			Instance: "/api/v1/signals/prometheus", RequestID: "id-1",
		}
		if !reflect.DeepEqual(got, expected) {
			t.Errorf("got %+v, want %+v", got, expected)
		}
	}
}

func TestZeroProblemIsAnInternalError(t *testing.T) {
	recorder := httptest.NewRecorder()
	Write(recorder, httptest.NewRequest(http.MethodGet, "/", nil), Problem{})
	want := `{"type":"https://kubernaut.ai/problems/internal-error","title":"Internal Server Error","status":500,"instance":"/"}`
	if recorder.Code != 500 || recorder.Body.String() != want {
		t.Errorf("got %d %s", recorder.Code, recorder.Body)
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	recorder := httptest.NewRecorder()
	Write(recorder, httptest.NewRequest(http.MethodGet, "/", nil),
		Problem{Type: TypeServiceUnavailable, RetryAfter: 1100 * time.Millisecond})
	if got := recorder.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q, want 2", got)
	}
}

func TestExtensionsJoinTheBodyWithoutHidingIt(t *testing.T) {
	recorder := httptest.NewRecorder()
	Write(recorder, httptest.NewRequest(http.MethodGet, "/", nil), Problem{
		Type: TypeValidation, Extensions: map[string]any{"index": 3, "status": "hidden"},
	})
	var got map[string]any
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["index"] != 3.0 || got["status"] != 400.0 {
		t.Errorf("got %v", got)
	}
}

func TestAnExtensionWithoutJSONFormIsLeftOut(t *testing.T) {
	recorder := httptest.NewRecorder()
	Write(recorder, httptest.NewRequest(http.MethodGet, "/", nil), Problem{
		Type: TypeForbidden, Extensions: map[string]any{"bad": make(chan int)},
	})
	var got Problem
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil || got.Type != TypeForbidden {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRouterHandlers(t *testing.T) {
	for _, test := range []struct {
		handler http.HandlerFunc
		kind    string
		detail  string
	}{
		{NotFound, TypeNotFound, "There is nothing at this path."},
		{MethodNotAllowed, TypeMethodNotAllowed, "This path does not take the method PUT."},
	} {
		recorder := httptest.NewRecorder()
		test.handler(recorder, httptest.NewRequest(http.MethodPut, "/x", nil))
		var got Problem
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Type != test.kind || got.Detail != test.detail {
			t.Errorf("got %+v", got)
		}
	}
}

func TestRequestIDOutsideOfARequest(t *testing.T) {
	if got := RequestID(t.Context()); got != "" {
		t.Errorf("got %q", got)
	}
}
