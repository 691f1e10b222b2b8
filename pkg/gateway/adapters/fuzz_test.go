package adapters

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

func FuzzPrometheus(f *testing.F) {
	for _, body := range []string{
		`{"version":"4","alerts":[{"labels":{"alertname":"A","pod":"p","severity":"info"},"startsAt":"2026-01-01T00:00:00Z"}]}`,
		`{"alerts":[{"labels":{"alertname":"A","job":"j","namespace":"N!"}}],"commonLabels":{"node":"n"}}`,
		`{"status":"resolved","alerts":[null,1,"x",{},{"labels":{"alertname":"A","pod":"p","pod":"q"}}]}`,
		`{"alerts":[{"labels":{"alertname":"\ud83d\ude00","service":"\u202e"},"annotations":{"\u0000":"\u001b[31m"}}]}`,
		`{"alerts":[{"labels":{"alertname":"A","pod":"p"},"startsAt":"9999-12-31T23:59:59-12:00"}]}`,
		`{"alerts":[{"labels":{"alertname":"A","pod":"\ud800"}}]}`,
		`{"alerts":[{"labels":{"alertname":"A","pod":"p"},"startsAt":7}]}`,
		`{"alerts":[{"labels":{"alertname":"A","pod":"p"},"startsAt":"yesterday"}]}`,
		`{"alerts":[{"labels":{"alertname":"A\u0007","pod":"p"}},{"labels":{"alertname":"A","pod":"p\u0085"}}]}`,
		`{"Alerts":[],"alerts":[{"labels":{"alertname":"A","pod":"p"}}],"x":[[[[{}]]]]} `,
		`{"alerts":[{"labels":{"alertname":"` + strings.Repeat("é", 254) + `","pod":"\u0085"}}]}`,
		strings.Repeat(`{"alerts":[`, 40), strings.Repeat("[", 1<<16),
		"\xef\xbb\xbf{}", "\xff\xfe{\x00}\x00",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		checkParsed(t, body, Prometheus{}.Parse)
	})
}

func FuzzKubernetesEvent(f *testing.F) {
	for _, body := range []string{
		`{"type":"Warning","reason":"OOMKilled","involvedObject":{"kind":"Pod","name":"p","namespace":"n"},"eventTime":null}`,
		`{"apiVersion":"events.k8s.io/v1","kind":"Event","type":"Error","reason":"R","regarding":{"kind":"Node","name":"n"}}`,
		`{"type":"Warning","reason":"\u0007","involvedObject":{"kind":"Pod:x","name":"p"},"lastTimestamp":"0000-01-01T00:00:00+01:00"}`,
		`{"type":"Warning","type":"Normal","reason":"R","involvedObject":{"kind":"Pod","name":"p"}}`,
		`{"type":"Warning","reason":"R","involvedObject":{"kind":"Pod","name":"\ud83d\ude00"},"message":"\u0000","metadata":{"managedFields":[{}]}}`,
		`{"type":"Warning","reason":"R","involvedObject":{"kind":"Pod","name":"` + strings.Repeat("p", 254) + `"}}`,
		strings.Repeat(`{"metadata":`, 65), `{"type":"Warning","lastTimestamp":"yesterday"}`,
		`null`, `[]`, "\xef\xbb\xbf{}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		checkParsed(t, body, KubernetesEvent{}.Parse)
	})
}

// checkParsed proves that whatever is accepted can be stored, and that every
// refusal can be shown to the sender.
func checkParsed(t *testing.T, body []byte, parse func([]byte, time.Time) ([]Parsed, error)) {
	parsed, err := parse(body, received())
	if err != nil {
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("unmarked error %v", err)
		}
		checkReason(t, err)
		return
	}
	if len(parsed) == 0 {
		t.Error("neither signals nor an error")
	}
	for _, one := range parsed {
		if one.Err != nil {
			checkReason(t, one.Err)
			continue
		}
		checkStorable(t, one.Signal)
		if !strings.Contains(string(body), one.Signal.Payload) {
			t.Errorf("the payload %q was not sent", one.Signal.Payload)
		}
		// The decoder's stand-in for what is no character makes different names equal.
		if own := strings.ToLower(string(body)); strings.ContainsRune(one.Signal.Name+one.Signal.Target.Name, utf8.RuneError) &&
			!strings.ContainsRune(own, utf8.RuneError) && !strings.Contains(own, `\ufffd`) {
			t.Errorf("the names of %+v were not sent", one.Signal)
		}
	}
}

// checkReason wants one line of text that says nothing of the program.
func checkReason(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	if text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > 2000 {
		t.Errorf("the reason %q is not fit for a sender", text)
	}
	// What stands in quotes is the sender's own.
	own := regexp.MustCompile(`"(\\.|[^"\\])*"`).ReplaceAllString(text, "")
	for _, inside := range []string{"json:", "Go ", "adapters", "struct", ".go", "time.Time", "Unmarshal", "goroutine", "map["} {
		if strings.Contains(own, inside) || strings.Contains(text, time.RFC3339) {
			t.Errorf("the reason %q has %q", text, inside)
		}
	}
}

// checkStorable is what the schema of RemediationRequest asks for.
func checkStorable(t *testing.T, signal Signal) {
	t.Helper()
	for what, value := range map[string]string{
		"name": signal.Name, "kind": signal.Target.Kind, "target": signal.Target.Name, "source": signal.Source,
	} {
		if length := utf8.RuneCountInString(value); length == 0 || length > 253 || strings.ContainsFunc(value, unicode.IsControl) {
			t.Errorf("the %s %q cannot be stored", what, value)
		}
	}
	for name, value := range signal.Labels {
		checkUnicode(t, name, value)
	}
	for name, value := range signal.Annotations {
		checkUnicode(t, name, value)
	}
	checkUnicode(t, signal.Name, signal.Target.Kind, signal.Target.Name, signal.Payload)
	if len(validation.IsDNS1123Label(signal.Target.Namespace)) > 0 {
		t.Errorf("accepted namespace %q", signal.Target.Namespace)
	}
	if signal.Severity != "critical" && signal.Severity != "warning" && signal.Severity != "info" {
		t.Errorf("severity %q", signal.Severity)
	}
	if !regexp.MustCompile(`^[a-f0-9]{64}$`).MatchString(signal.Fingerprint()) {
		t.Errorf("fingerprint %q", signal.Fingerprint())
	}
	if signal.Payload == "" || signal.FiringTime.IsZero() || len(signal.FiringTime.UTC().Format(time.RFC3339)) != len("2026-01-01T00:00:00Z") {
		t.Errorf("incomplete %+v", signal)
	}
}

func checkUnicode(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !utf8.ValidString(text) {
			t.Errorf("%q is not UTF-8", text)
		}
	}
}
