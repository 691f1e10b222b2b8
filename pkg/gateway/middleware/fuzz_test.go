package middleware

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/pkg/problem"
)

// byToken decides by what the token is called.
type byToken struct{}

func (byToken) Authorize(_ context.Context, token, _, _ string) (Decision, error) {
	switch token {
	case "good":
		return Allowed, nil
	case "weak":
		return Forbidden, nil
	case "unknowable":
		return Allowed, errors.New("the API server at 10.0.0.1 is away")
	default:
		return Unauthenticated, nil
	}
}

// reached is what got through the whole chain.
type reached struct {
	request *http.Request
	body    []byte
	ip      string
}

// chain is the middleware of a signal route, in the order of the contract.
func chain(now time.Time, limit int64, got *reached) http.Handler {
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = reached{request: r, body: body, ip: ClientIP(r.Context())}
		w.WriteHeader(http.StatusNoContent)
	})
	seen := &rejections{}
	for _, layer := range slices.Backward([]func(http.Handler) http.Handler{
		RequestID, RealIP([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}), SecurityHeaders, Observe(&observed{}, quiet()),
		CORS([]string{"https://good.example"}), InFlight(1, seen), Auth(byToken{}, seen, quiet()), BodyLimit(limit, seen), ContentType(seen),
		Timestamp(Freshness{MaxAge: 5 * time.Minute, MaxAhead: 2 * time.Minute, Now: func() time.Time { return now }}, seen),
	}) {
		handler = layer(handler)
	}
	return handler
}

// FuzzMiddleware proves that only what the contract lets through gets through, and
// that everything else gets a proper problem.
func FuzzMiddleware(f *testing.F) {
	f.Add("Bearer good", "application/json", "1000000", "", "https://good.example", "203.0.113.9", "POST", uint8(0), []byte("{}"))
	// The same with one header twice each, and with a body above the limit.
	f.Add("Bearer good", "application/json", "1000000", "", "", "", "POST", uint8(1), []byte("{}"))
	f.Add("Bearer good", "application/json", "1000000", "", "", "", "POST", uint8(2), []byte("{}"))
	f.Add("Bearer good", "application/json", "1000000", "", "", "", "POST", uint8(0), bytes.Repeat([]byte("x"), 65))
	f.Add("bearer  good", "", "999700", "", "null", "1.1.1.1, garbage", "GET", uint8(255), []byte(nil))
	f.Add("Bearer weak", "text/plain", "1000121", "gzip", "", "", "OPTIONS", uint8(0), []byte("x"))
	f.Add("Bearer unknowable", "application/json;charset=\"", "-1", "identity", "*", ",,,", "post", uint8(0), bytes.Repeat([]byte("x"), 65))
	f.Add("Basic good", "application/json\r\nX: y", "0x10", "\x00", "\n", "::ffff:192.0.2.1", "", uint8(4), []byte("{"))
	now := time.Unix(1_000_000, 0)
	const limit = 64
	f.Fuzz(func(t *testing.T, authorization, contentType, timestamp, encoding, origin, forwarded, method string, twice uint8, body []byte) {
		var got reached
		request := httptest.NewRequest(http.MethodPost, "/signals", bytes.NewReader(body))
		request.Method = method
		for bit, header := range [][2]string{
			{"Authorization", authorization},
			{HeaderTimestamp, timestamp},
			{"Content-Type", contentType},
			{"Content-Encoding", encoding},
			{"Origin", origin},
			{"X-Forwarded-For", forwarded},
		} {
			request.Header.Add(header[0], header[1])
			if twice&(1<<bit) != 0 {
				request.Header.Add(header[0], header[1])
			}
		}
		if method == http.MethodOptions {
			request.Header.Set("Access-Control-Request-Method", "POST")
		}
		recorder := answer(chain(now, limit, &got), request)
		checkAnswer(t, recorder)
		preflight := method == http.MethodOptions && recorder.Code == http.StatusNoContent
		if got.request == nil {
			if recorder.Code < 400 && !preflight {
				t.Errorf("answered %d without the handler", recorder.Code)
			}
			return
		}
		if fields := strings.Fields(authorization); twice&1 != 0 || len(fields) != 2 || !strings.EqualFold(fields[0], "Bearer") || fields[1] != "good" {
			t.Errorf("let in with %q", authorization)
		}
		if seconds, err := strconv.ParseInt(timestamp, 10, 64); twice&2 != 0 || err != nil || seconds < 999_700 || seconds > 1_000_120 {
			t.Errorf("let in with the time %q", timestamp)
		}
		if kind, _, err := mime.ParseMediaType(contentType); contentType != "" && (err != nil || kind != "application/json") {
			t.Errorf("let in with the type %q", contentType)
		}
		if len(body) > limit || !bytes.Equal(body, got.body) {
			t.Errorf("%d bytes came in, %d got through", len(body), len(got.body))
		}
		if _, err := netip.ParseAddr(got.ip); err != nil {
			t.Errorf("client address %q", got.ip)
		}
	})
}

// checkAnswer is what every answer has, and every refusal in its body.
func checkAnswer(t *testing.T, recorder *httptest.ResponseRecorder) {
	t.Helper()
	header := recorder.Header()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'none'",
		"Referrer-Policy": "no-referrer", "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
	} {
		if !slices.Equal(header.Values(name), []string{want}) {
			t.Errorf("%d with %s: %q", recorder.Code, name, header.Values(name))
		}
	}
	if origin := header.Get("Access-Control-Allow-Origin"); origin != "" && origin != "https://good.example" {
		t.Errorf("allows the origin %q", origin)
	}
	if recorder.Code < 400 {
		return
	}
	var got problem.Problem
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil || header.Get("Content-Type") != problem.ContentType {
		t.Fatalf("no problem: %v %s", err, recorder.Body)
	}
	want := map[string]int{
		problem.TypeUnauthorized: 401, problem.TypeForbidden: 403, problem.TypePayloadTooLarge: 413,
		problem.TypeUnsupportedMediaType: 415, problem.TypeValidation: 400, problem.TypeServiceUnavailable: 503,
	}[got.Type]
	if want == 0 || recorder.Code != want || got.Status != want {
		t.Errorf("%d with %+v", recorder.Code, got)
	}
	if got.RequestID == "" || got.RequestID != header.Get(HeaderRequestID) || got.Detail == "" || strings.Contains(got.Detail, "10.0.0.1") {
		t.Errorf("the problem %+v", got)
	}
}
