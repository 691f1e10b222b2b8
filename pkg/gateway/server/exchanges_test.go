package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hybrid-e2e/hybrid/pkg/openapitest"
)

// exchange is one request and what comes of it. What is left zero is what a correct
// sender does.
type exchange struct {
	name   string
	method string // POST
	path   string
	body   string
	change func(*http.Request)
	// gateway sets a Gateway of its own up for the exchange.
	gateway func(*Server)
	// verdict is what the document thinks of the request.
	verdict openapitest.Verdict
	status  int
}

func (e exchange) request() *http.Request {
	method := http.MethodPost
	if e.method != "" {
		method = e.method
	}
	request := httptest.NewRequest(method, e.path, strings.NewReader(e.body))
	if e.method == "" {
		request.Header.Set("Authorization", "Bearer "+tokenSender)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Timestamp", strconv.FormatInt(clock().Unix(), 10))
	}
	if e.change != nil {
		e.change(request)
	}
	return request
}

// refusals are what all signal routes answer to a request that is at fault, whatever
// its body.
func refusals(path, body string) []exchange {
	return []exchange{
		{name: "no slot", path: path, body: body, gateway: func(s *Server) { s.Config.Server.MaxInFlight = 0 }, status: 503},
		{name: "no token", path: path, body: body, change: without("Authorization"), verdict: openapitest.Faulty, status: 401},
		{name: "two tokens", path: path, body: body, change: func(r *http.Request) { r.Header.Add("Authorization", "Bearer b") }, verdict: openapitest.Faulty, status: 401},
		{name: "unknown token", path: path, body: body, change: with("Authorization", "Bearer unknown"), status: 401},
		{name: "no permission", path: path, body: body, change: with("Authorization", "Bearer "+tokenStranger), status: 403},
		{name: "nobody to ask", path: path, body: body, change: with("Authorization", "Bearer "+tokenDoubtful), status: 503},
		{name: "too large", path: path, body: body + strings.Repeat(" ", 256<<10), status: 413},
		{name: "text", path: path, body: body, change: with("Content-Type", "text/plain"), verdict: openapitest.Faulty, status: 415},
		{name: "stale", path: path, body: body, change: with("X-Timestamp", strconv.FormatInt(clock().Add(-6*time.Minute).Unix(), 10)), status: 400},
		{name: "negative time", path: path, body: body, change: with("X-Timestamp", "-1"), verdict: openapitest.Faulty, status: 400},
		{name: "no time", path: path, body: body, change: with("X-Timestamp", "noon"), verdict: openapitest.Faulty, status: 400},
		{name: "cut off", path: path, body: body[:len(body)-1], verdict: openapitest.Faulty, status: 400},
		{name: "empty", path: path, verdict: openapitest.Faulty, status: 400},
		{name: "list", path: path, body: "[]", verdict: openapitest.Faulty, status: 400},
		{name: "panic", path: path, body: body, gateway: func(s *Server) { s.Authorizer = broken{} }, status: 500},
		{name: "undeclared type", path: path, body: body, change: without("Content-Type"), status: 202},
	}
}

// alertmanagerBody is a webhook as Alertmanager 0.28 sends it, one alert in it.
const alertmanagerBody = `{"receiver":"gateway","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"KubePodCrashLooping",
"namespace":"shop","pod":"cart-0","severity":"critical"},"annotations":{"summary":"Pod is crash looping."},"startsAt":"2025-11-25T07:55:00Z",
"endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus/graph","fingerprint":"8d4b"}],"groupLabels":{"alertname":"KubePodCrashLooping"},
"commonLabels":{"alertname":"KubePodCrashLooping"},"commonAnnotations":{},"externalURL":"http://alertmanager","version":"4","groupKey":"{}:{}","truncatedAlerts":0}`

func webhookExchanges(path string) []exchange {
	// Both routes lead to the same requests, so that each has a pod of its own.
	mine := func(namespace string) string { return alertIn(namespace, strings.ReplaceAll(path[1:], "/", ".")) }
	resolved := strings.Replace(mine("shop"), "{", `{"status":"resolved",`, 1)
	one := strings.Replace(alertmanagerBody, "cart-0", "cart-"+path[len(path)-2:], 1)
	required := openapitest.Faulty
	missing := 400
	if path == PathAlertmanager {
		required, missing = openapitest.Sound, 202
	}
	return append([]exchange{
		{name: "created", path: path, body: one, status: 201},
		{name: "duplicate", path: path, body: one, status: 202},
		{name: "without time", path: path, body: one, change: without("X-Timestamp"), verdict: required, status: missing},
		{name: "resolved", path: path, body: webhook(resolved), status: 200},
		{name: "fallback", path: path, body: webhook(mine(namespaceMissing)), status: 201},
		{name: "away", path: path, body: webhook(mine(namespaceAway)), status: 503},
		{name: "refused", path: path, body: webhook(mine(namespaceRefused)), status: 400},
		{name: "several", path: path, body: webhook(mine("a"), mine("shop"), resolved, `{"labels":{"pod":"p"}}`, mine(namespaceRefused)), status: 207},
		{name: "several, some away", path: path, body: webhook(mine("a"), mine(namespaceAway), resolved, `{"labels":{"pod":"p"}}`), status: 503},
		{name: "no alertname", path: path, body: webhook(`{"labels":{"pod":"p"}}`), status: 400},
		{name: "no target", path: path, body: webhook(`{"labels":{"alertname":"A"}}`), status: 400},
		{name: "bad status", path: path, body: webhook(`{"status":"odd","labels":{"alertname":"A","pod":"p"}}`), verdict: openapitest.Faulty, status: 400},
		{name: "bad label", path: path, body: webhook(`{"labels":{"alertname":"A","pod":7}}`), verdict: openapitest.Faulty, status: 400},
		{name: "long name", path: path, body: webhook(`{"labels":{"pod":"p","alertname":"` + strings.Repeat("a", 254) + `"}}`), verdict: openapitest.Faulty, status: 400},
		{name: "bad time", path: path, body: webhook(`{"startsAt":"noon","labels":{"alertname":"A","pod":"p"}}`), verdict: openapitest.Faulty, status: 400},
		{name: "no alerts", path: path, body: webhook(), verdict: openapitest.Faulty, status: 400},
		{name: "old version", path: path, body: `{"version":"3","alerts":[` + mine("a") + `]}`, verdict: openapitest.Faulty, status: 400},
	}, refusals(path, one)...)
}

func alertIn(namespace, pod string) string {
	return `{"labels":{"alertname":"A","namespace":"` + namespace + `","pod":"` + pod + `","severity":"page"}}`
}

func eventExchanges(t *testing.T) []exchange {
	t.Helper()
	core := encoded(t, corev1.Event{
		TypeMeta:       metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "cart-1", Namespace: "shop"},
		Type:           corev1.EventTypeWarning, Reason: "BackOff", Message: "Back-off restarting failed container",
		Source: corev1.EventSource{Component: "kubelet", Host: "node-1"},
	})
	events := encoded(t, eventsv1.Event{
		TypeMeta:  metav1.TypeMeta{APIVersion: "events.k8s.io/v1", Kind: "Event"},
		EventTime: metav1.NewMicroTime(clock()), ReportingController: "kubelet",
		Regarding: corev1.ObjectReference{Kind: "Node", Name: "node-1"}, Type: corev1.EventTypeWarning, Reason: "NodeNotReady",
	})
	bad := func(name, from, to string) exchange {
		return exchange{name: name, path: PathKubernetesEvent, body: strings.Replace(core, from, to, 1), verdict: openapitest.Faulty, status: 400}
	}
	away := exchange{name: "away", path: PathKubernetesEvent, body: strings.Replace(core, `"shop"`, `"`+namespaceAway+`"`, 1), status: 503}
	refused := away
	refused.name, refused.body, refused.status = "refused", strings.Replace(core, `"shop"`, `"`+namespaceRefused+`"`, 1), 400
	return append([]exchange{
		{name: "created", path: PathKubernetesEvent, body: core, status: 201},
		{name: "duplicate", path: PathKubernetesEvent, body: core, status: 202},
		{name: "events.k8s.io", path: PathKubernetesEvent, body: events, status: 201},
		{name: "without time", path: PathKubernetesEvent, body: core, change: without("X-Timestamp"), verdict: openapitest.Faulty, status: 400},
		bad("normal", `"Warning"`, `"Normal"`),
		bad("no reason", `"BackOff"`, `""`),
		bad("other kind", `"Event"`, `"Pod"`),
		bad("other version", `"v1"`, `"v2"`),
		bad("no object", `"involvedObject"`, `"object"`),
		bad("no kind", `"Pod"`, `""`),
		bad("odd kind", `"Pod"`, `"Pod!"`),
		bad("no name", `"cart-1"`, `""`),
		bad("bad time", `"firstTimestamp":null`, `"firstTimestamp":"noon"`),
		away, refused,
	}, refusals(PathKubernetesEvent, core)...)
}

func otherExchanges() []exchange {
	stopping := func(s *Server) { s.Health.Stop() }
	unreached := func(s *Server) {
		s.Health = NewHealth(func() bool { return true }, func(context.Context) error { return errors.New("dial") }, s.Logger)
	}
	return []exchange{
		{name: "health", method: "GET", path: "/health", status: 200},
		{name: "healthz", method: "GET", path: "/healthz", gateway: stopping, status: 200},
		{name: "ready", method: "GET", path: "/ready", status: 200},
		{name: "ready, stopping", method: "GET", path: "/ready", gateway: stopping, status: 503},
		{name: "readyz", method: "GET", path: "/readyz", status: 200},
		{name: "readyz, no API server", method: "GET", path: "/readyz", gateway: unreached, status: 503},
		{name: "document", method: "GET", path: PathOpenAPI, status: 200},
		{name: "other document", method: "GET", path: PathOpenAPI, change: with("If-None-Match", `"0"`), status: 200},
		{name: "any document", method: "GET", path: PathOpenAPI, change: with("If-None-Match", "*"), status: 304},
		{name: "no path", method: "GET", path: "/api/v1/signals", status: 404},
		{name: "no method", method: "GET", path: PathPrometheus, status: 405},
		{name: "no method of a probe", method: "DELETE", path: "/ready", status: 405},
		{name: "preflight without CORS", method: "OPTIONS", path: PathOpenAPI, status: 405},
	}
}

func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func without(name string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Del(name) }
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
