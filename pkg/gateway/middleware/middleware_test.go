package middleware

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/hybrid-e2e/hybrid/pkg/gateway/metrics"
	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

type rejections struct {
	mu      sync.Mutex
	reasons []metrics.Reason
}

func (r *rejections) Rejected(reason metrics.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons = append(r.reasons, reason)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func passes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Body", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusTeapot)
	})
}

func answer(handler http.Handler, request *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func post(body string) *http.Request {
	return httptest.NewRequest(http.MethodPost, "/signals", strings.NewReader(body))
}

func kindOf(t *testing.T, recorder *httptest.ResponseRecorder) string {
	t.Helper()
	var got problem.Problem
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatalf("not a problem: %s", recorder.Body)
	}
	return got.Type
}

func TestRequestIDIsAlwaysNew(t *testing.T) {
	var inside string
	handler := RequestID(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = problem.RequestID(r.Context()) }))
	request := post("")
	request.Header.Set(HeaderRequestID, "chosen")
	first, second := answer(handler, request).Header().Get(HeaderRequestID), answer(handler, request).Header().Get(HeaderRequestID)
	if _, err := uuid.Parse(first); err != nil || first == second || inside != second {
		t.Errorf("ids %q %q %q", first, second, inside)
	}
}

func TestRealIPBelievesOnlyTrustedHops(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, test := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"1.1.1.1, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"10.0.0.1:1", []string{"1.1.1.1", "203.0.113.9"}, "203.0.113.9"},
		{"[::ffff:10.0.0.1]:1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"203.0.113.1:1", []string{"1.1.1.1"}, "203.0.113.1"},
		{"10.0.0.1:1", []string{"garbage"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"1.1.1.1, garbage, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"pipe", []string{"1.1.1.1"}, "pipe"},
	} {
		var got string
		request := post("")
		request.RemoteAddr = test.peer
		request.Header["X-Forwarded-For"] = test.forwarded
		answer(RealIP(trusted)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = ClientIP(r.Context()) })), request)
		if got != test.want {
			t.Errorf("%s %q: got %s, want %s", test.peer, test.forwarded, got, test.want)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	got := answer(SecurityHeaders(passes()), post("")).Header()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Strict-Transport-Security": "max-age=31536000; includeSubDomains",
		"Content-Security-Policy":   "default-src 'none'", "Referrer-Policy": "no-referrer",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q", name, got.Get(name))
		}
	}
}

type observed struct{ all []string }

func (o *observed) Observe(endpoint, method string, status int, _ time.Duration) {
	o.all = append(o.all, method+" "+endpoint+" "+strconv.Itoa(status))
}

func TestObserveSeesEachRequestOnce(t *testing.T) {
	logs, seen := &bytes.Buffer{}, &observed{}
	router := chi.NewRouter()
	router.Use(Observe(seen, slog.New(slog.NewJSONHandler(logs, nil))))
	router.Get("/health", func(http.ResponseWriter, *http.Request) {})
	router.Get("/x/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	router.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("inside") })
	router.Get("/late", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK); panic("inside") })
	for _, path := range []string{"/health", "/x/1", "/x/2", "/nowhere/3", "/panic", "/late"} {
		recorder := answer(router, httptest.NewRequest(http.MethodGet, path, nil))
		if path == "/panic" && (recorder.Code != 500 || kindOf(t, recorder) != problem.TypeInternal || strings.Contains(recorder.Body.String(), "inside")) {
			t.Errorf("panic answered with %d %s", recorder.Code, recorder.Body)
		}
	}
	want := []string{"GET /health 200", "GET /x/{id} 202", "GET /x/{id} 202", "GET unmatched 404", "GET /panic 500", "GET /late 200"}
	if !slices.Equal(seen.all, want) {
		t.Errorf("got %q", seen.all)
	}
	if strings.Contains(logs.String(), `"/health"`) || !strings.Contains(logs.String(), `"endpoint":"/x/{id}"`) {
		t.Errorf("logs %s", logs)
	}
}

func TestCORS(t *testing.T) {
	ask := func(origins []string, method, origin string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(method, "/signals", nil)
		if origin != "" {
			request.Header.Set("Origin", origin)
		}
		if method == http.MethodOptions {
			request.Header.Set("Access-Control-Request-Method", "POST")
		}
		return answer(CORS(origins)(passes()), request)
	}
	const good, bad = "https://good.example", "https://bad.example"
	for name, test := range map[string]struct {
		got     *httptest.ResponseRecorder
		code    int
		origin  string
		methods string
	}{
		"off":                 {ask(nil, http.MethodOptions, good), 418, "", ""},
		"preflight":           {ask([]string{good}, http.MethodOptions, good), 204, good, "GET, POST"},
		"preflight of others": {ask([]string{good}, http.MethodOptions, bad), 204, "", ""},
		"request":             {ask([]string{good}, http.MethodPost, good), 418, good, ""},
		"request of others":   {ask([]string{good}, http.MethodPost, bad), 418, "", ""},
		"no origin":           {ask([]string{good}, http.MethodPost, ""), 418, "", ""},
		"all":                 {ask([]string{"*"}, http.MethodPost, bad), 418, bad, ""},
	} {
		header := test.got.Header()
		if test.got.Code != test.code || header.Get("Access-Control-Allow-Origin") != test.origin || header.Get("Access-Control-Allow-Methods") != test.methods {
			t.Errorf("%s: %d %v", name, test.got.Code, header)
		}
		if name != "off" && header.Get("Vary") != "Origin" {
			t.Errorf("%s: Vary %q", name, header.Get("Vary"))
		}
	}
}

func TestInFlightRefusesAboveTheLimit(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	seen := &rejections{}
	handler := InFlight(1, seen)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}))
	var group sync.WaitGroup
	group.Go(func() { answer(handler, post("")) })
	<-entered
	refused := answer(handler, post(""))
	if refused.Code != 503 || kindOf(t, refused) != problem.TypeServiceUnavailable || refused.Header().Get("Retry-After") != "1" {
		t.Errorf("got %d %s", refused.Code, refused.Body)
	}
	close(leave)
	group.Wait()
	group.Go(func() { answer(handler, post("")) })
	<-entered // The slot is free again.
	group.Wait()
	if !slices.Equal(seen.reasons, []metrics.Reason{metrics.ReasonOverload}) {
		t.Errorf("reasons %v", seen.reasons)
	}
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBodyLimit(t *testing.T) {
	seen := &rejections{}
	handler := BodyLimit(10, seen)(passes())
	if got := answer(handler, post("0123456789")); got.Code != 418 || got.Header().Get("X-Body") != "10" {
		t.Errorf("at the limit: %d", got.Code)
	}
	if got := answer(handler, post("0123456789a")); got.Code != 413 || kindOf(t, got) != problem.TypePayloadTooLarge {
		t.Errorf("above: %d", got.Code)
	}
	undeclared := post("0123456789a")
	undeclared.ContentLength = -1
	if got := answer(handler, undeclared); got.Code != 413 {
		t.Errorf("above, undeclared: %d", got.Code)
	}
	if got := answer(handler, httptest.NewRequest(http.MethodPost, "/", brokenBody{})); got.Code != 400 {
		t.Errorf("broken: %d", got.Code)
	}
	want := []metrics.Reason{metrics.ReasonBodyTooLarge, metrics.ReasonBodyTooLarge, metrics.ReasonMalformed}
	if !slices.Equal(seen.reasons, want) {
		t.Errorf("reasons %v", seen.reasons)
	}
}

func TestContentType(t *testing.T) {
	for declared, want := range map[string]int{
		"": 418, "application/json": 418, "Application/JSON; charset=utf-8": 418,
		"text/plain": 415, "application/json-patch+json": 415, ";": 415,
	} {
		request := post("{}")
		if declared != "" {
			request.Header.Set("Content-Type", declared)
		}
		got := answer(ContentType(&rejections{})(passes()), request)
		if got.Code != want {
			t.Errorf("%q: %d, want %d", declared, got.Code, want)
		}
		if want == 415 && (got.Header().Get("Accept") != "application/json" || kindOf(t, got) != problem.TypeUnsupportedMediaType) {
			t.Errorf("%q: %v", declared, got.Header())
		}
	}
}

func TestTimestamp(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	bounds := Freshness{MaxAge: 5 * time.Minute, MaxAhead: 2 * time.Minute, Now: func() time.Time { return now }}
	for header, want := range map[string]string{
		"1000000": "", "999700": "", "1000120": "",
		"999699":              "The header X-Timestamp is older than 5m0s.",
		"1000121":             "The header X-Timestamp is more than 2m0s ahead.",
		"9223372036854775807": "The header X-Timestamp is more than 2m0s ahead.",
		"0":                   "The header X-Timestamp is older than 5m0s.",
		"-1":                  "The header X-Timestamp is negative.",
		"now":                 "The header X-Timestamp is not a number of Unix seconds.",
		"1000000.5":           "The header X-Timestamp is not a number of Unix seconds.",
		"":                    "The header X-Timestamp is missing; send the time in Unix seconds.",
	} {
		if got := bounds.refusal(header); got != want {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
	bounds.Optional = true
	if got := bounds.refusal(""); got != "" {
		t.Errorf("optional: %q", got)
	}
	if got := bounds.refusal("1"); got == "" {
		t.Error("an optional header is not checked")
	}
	seen := &rejections{}
	handler := Timestamp(Freshness{MaxAge: time.Minute, MaxAhead: time.Minute}, seen)(passes())
	fresh := post("")
	fresh.Header.Set(HeaderTimestamp, strconv.FormatInt(time.Now().Unix(), 10))
	if got := answer(handler, fresh); got.Code != 418 {
		t.Errorf("fresh: %d", got.Code)
	}
	if got := answer(handler, post("")); got.Code != 400 || kindOf(t, got) != problem.TypeValidation {
		t.Errorf("missing: %d", got.Code)
	}
	fresh.Header.Add(HeaderTimestamp, fresh.Header.Get(HeaderTimestamp))
	if got := answer(handler, fresh); got.Code != 400 || !strings.Contains(got.Body.String(), "The header X-Timestamp is there more than once.") {
		t.Errorf("twice: %d %s", got.Code, got.Body)
	}
	if !slices.Equal(seen.reasons, []metrics.Reason{metrics.ReasonTimestamp, metrics.ReasonTimestamp}) {
		t.Errorf("reasons %v", seen.reasons)
	}
}

func TestFraming(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*http.Request)
		want   string
	}{
		"HTTP/1.1":           {func(*http.Request) {}, ""},
		"HTTP/1.1, chunked":  {func(r *http.Request) { r.TransferEncoding = []string{"chunked"} }, "close"},
		"HTTP/1.0":           {func(r *http.Request) { r.Proto, r.ProtoMinor = "HTTP/1.0", 0 }, "close"},
		"HTTP/2, if it came": {func(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0 }, ""},
	} {
		request := post("{}")
		test.change(request)
		if got := answer(Framing(passes()), request); got.Code != 418 || got.Header().Get("Connection") != test.want {
			t.Errorf("%s: %d, Connection %q", name, got.Code, got.Header().Get("Connection"))
		}
	}
}
