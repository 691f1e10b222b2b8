package bench

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// route is where all loads are sent.
const route = "/api/v1/signals/prometheus"

// body is the webhook of one alert, as long as Alertmanager's own usually are.
const body = `{"version":"4","groupKey":"{}:{alertname=\"PodCrashLooping\"}","truncatedAlerts":0,"status":"firing",` +
	`"receiver":"kubernaut","groupLabels":{"alertname":"PodCrashLooping"},"commonLabels":{"alertname":"PodCrashLooping"},` +
	`"commonAnnotations":{},"externalURL":"http://alertmanager.example","alerts":[{"status":"firing","labels":{` +
	`"alertname":"PodCrashLooping","container":"main","instance":"10.244.0.7:8080","namespace":%q,"pod":%q,"severity":"critical"},` +
	`"annotations":{"summary":"The pod restarts again and again","runbook_url":"https://runbooks.example/PodCrashLooping"},` +
	`"startsAt":"2026-01-02T03:04:05Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example/graph","fingerprint":"a1b2c3"}]}`

// sender makes requests with the headers of a correct sender.
type sender struct {
	base, token, namespace string
	now                    func() time.Time
	// problems is how many requests the duplicates are about.
	problems int
}

// firing fills target with the alert about one pod, and with the status that its
// answer must have.
func (s sender) firing(target *vegeta.Target, pod string, want int) {
	target.Method = http.MethodPost
	target.URL = expecting(s.base+route, want)
	target.Body = fmt.Appendf(nil, body, s.namespace, pod)
	target.Header = http.Header{
		"Authorization": {"Bearer " + s.token},
		"Content-Type":  {"application/json"},
		"X-Timestamp":   {strconv.FormatInt(s.now().Unix(), 10)},
	}
}

// opening tells of a new problem each time.
func (s sender) opening(prefix string) vegeta.Targeter {
	var sent atomic.Int64
	return func(target *vegeta.Target) error {
		s.firing(target, prefix+strconv.FormatInt(sent.Add(1), 10), http.StatusCreated)
		return nil
	}
}

// repeating tells of the known problems, one after the other.
func (s sender) repeating() vegeta.Targeter {
	var sent atomic.Int64
	return func(target *vegeta.Target) error {
		s.firing(target, known(int(sent.Add(1))%s.problems), http.StatusAccepted)
		return nil
	}
}

// limited ends after n targets.
func limited(n int64, targets vegeta.Targeter) vegeta.Targeter {
	var sent atomic.Int64
	return func(target *vegeta.Target) error {
		if sent.Add(1) > n {
			return vegeta.ErrNoTargets
		}
		return targets(target)
	}
}

// first tells of the problems that repeating repeats.
func (s sender) first() vegeta.Targeter {
	var sent atomic.Int64
	return limited(int64(s.problems), func(target *vegeta.Target) error {
		s.firing(target, known(int(sent.Add(1))-1), http.StatusCreated)
		return nil
	})
}

// known names the pod of one of them.
func known(i int) string { return "known-" + strconv.Itoa(i) }

// wrong are requests that the Gateway must refuse: two without a valid token, three
// with one.
func (s sender) wrong() []func(*vegeta.Target) {
	spoil := func(want int, change func(*vegeta.Target)) func(*vegeta.Target) {
		return func(target *vegeta.Target) {
			s.firing(target, known(0), want)
			change(target)
		}
	}
	stale := func(target *vegeta.Target) {
		target.Header["X-Timestamp"] = []string{strconv.FormatInt(s.now().Add(-time.Hour).Unix(), 10)}
	}
	return []func(*vegeta.Target){
		spoil(http.StatusUnauthorized, func(t *vegeta.Target) { delete(t.Header, "Authorization") }),
		spoil(http.StatusBadRequest, stale),
		spoil(http.StatusUnauthorized, func(t *vegeta.Target) { t.Header["Authorization"] = []string{"Bearer nobody"} }),
		spoil(http.StatusBadRequest, func(t *vegeta.Target) { t.Body = t.Body[:len(t.Body)-1] }),
		spoil(http.StatusBadRequest, func(t *vegeta.Target) {
			t.Body = []byte(strings.Replace(string(t.Body), `"pod":`, `"thing":`, 1))
		}),
	}
}

// refused sends each of the wrong requests in turn.
func (s sender) refused() vegeta.Targeter {
	var sent atomic.Int64
	wrong := s.wrong()
	return func(target *vegeta.Target) error {
		wrong[int(sent.Add(1))%len(wrong)](target)
		return nil
	}
}

// mixed is the load of the soak: of a hundred requests 69 are duplicates, 30 are
// refused and one opens a request. Few are opened, because the Gateway's cache rightly
// grows with each request that is open.
func (s sender) mixed() vegeta.Targeter {
	var sent atomic.Int64
	opening, repeating, refused := s.opening("soak-"), s.repeating(), s.refused()
	return func(target *vegeta.Target) error {
		switch place := sent.Add(1) % 100; {
		case place == 0:
			return opening(target)
		case place < 70:
			return repeating(target)
		default:
			return refused(target)
		}
	}
}

// expecting marks a URL with the status that is wanted. The mark is a fragment,
// which no client sends.
func expecting(address string, status int) string { return address + "#" + strconv.Itoa(status) }

// expected reads the mark; 0 if there is none.
func expected(address string) int {
	_, mark, _ := strings.Cut(address, "#")
	status, err := strconv.Atoi(mark)
	if err != nil {
		return 0
	}
	return status
}

// local refuses every address but 127.0.0.1: a load belongs on one's own machine.
func local(address string) error {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "http" || parsed.Hostname() != "127.0.0.1" {
		return fmt.Errorf("loads are sent to http://127.0.0.1 only, not to %q", address)
	}
	return nil
}
