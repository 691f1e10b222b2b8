package adapters

import (
	"errors"
	"strings"
	"testing"
)

const (
	goodAlert = `{"labels":{"alertname":"A","pod":"p"}}`
	goodEvent = `{"type":"Warning","reason":"R","involvedObject":{"kind":"Pod","name":"p"}}`
)

// nested is a value of the given depth.
func nested(depth int) string {
	return strings.Repeat(`[`, depth) + strings.Repeat(`]`, depth)
}

// utf16LE is text as a UTF-16 sender would write it, without a mark.
func utf16LE(text string) string {
	var wide strings.Builder
	for _, char := range []byte(text) {
		wide.Write([]byte{char, 0})
	}
	return wide.String()
}

// TestHostileBodiesAreRefused puts each body to both adapters: what is wrong with
// it has nothing to do with the source.
func TestHostileBodiesAreRefused(t *testing.T) {
	hook := func(member string) string { return `{"alerts":[` + goodAlert + `],` + member + `}` }
	event := func(member string) string { return goodEvent[:len(goodEvent)-1] + `,` + member + `}` }
	for name, test := range map[string]struct{ hook, event, want string }{
		"empty":                {``, ``, "unexpected end of JSON input at byte 0"},
		"cut off":              {hook(`"a":1`)[:40], event(`"a":1`)[:40], "unexpected end of JSON input at byte 40"},
		"single quotes":        {`{'alerts':[]}`, `{'type':''}`, `invalid character '\'' looking for beginning of object key string at byte 2`},
		"a comment":            {hook(`/**/"a":1`), event(`/**/"a":1`), "invalid character '/' looking for beginning of object key string"},
		"a trailing comma":     {hook(`"a":1,`), event(`"a":1,`), "invalid character '}' looking for beginning of object key string"},
		"a number of no kind":  {hook(`"a":NaN`), event(`"a":NaN`), "invalid character 'N' looking for beginning of value"},
		"a raw NUL":            {hook("\"a\":\"\x00\""), event("\"a\":\"\x00\""), `invalid character '\x00' in string literal`},
		"a second value":       {hook(`"a":1`) + `{}`, event(`"a":1`) + `{}`, "invalid character '{' after top-level value"},
		"trailing NUL":         {hook(`"a":1`) + "\x00", event(`"a":1`) + "\x00", `invalid character '\x00' after top-level value`},
		"too deep":             {hook(`"a":` + nested(64)), event(`"a":` + nested(64)), "it is nested more than 64 levels deep"},
		"far too deep":         {strings.Repeat(`[`, 100_000), strings.Repeat(`{"a":`, 50_000), "it is nested more than 64 levels deep"},
		"broken UTF-8":         {hook("\"a\":\"\xff\""), event("\"a\":\"\xff\""), "it is not UTF-8"},
		"overlong UTF-8":       {hook("\"a\":\"\xc0\xaf\""), event("\"a\":\"\xc0\xaf\""), "it is not UTF-8"},
		"a surrogate in UTF-8": {hook("\"a\":\"\xed\xa0\x80\""), event("\"a\":\"\xed\xa0\x80\""), "it is not UTF-8"},
		"a mark":               {"\xef\xbb\xbf" + hook(`"a":1`), "\xef\xbb\xbf" + event(`"a":1`), "it begins with a byte order mark"},
		"UTF-16 with a mark":   {"\xff\xfe" + utf16LE(hook(`"a":1`)), "\xff\xfe" + utf16LE(event(`"a":1`)), "it is not UTF-8"},
		"UTF-16":               {utf16LE(hook(`"a":1`)), utf16LE(event(`"a":1`)), `invalid character '\x00'`},
		"a high half":          {hook(`"a":"\ud800"`), event(`"a":"\ud800"`), "half of a UTF-16 surrogate pair at byte"},
		"a low half":           {hook(`"a":"\uDC00"`), event(`"a":"\uDC00"`), "half of a UTF-16 surrogate pair at byte"},
		"halves in disorder":   {hook(`"a":"\udc00\ud800"`), event(`"a":"\udc00\ud800"`), "half of a UTF-16 surrogate pair at byte"},
		"half and a character": {hook(`"a":"\ud800\u0041"`), event(`"a":"\ud800\u0041"`), "half of a UTF-16 surrogate pair at byte"},
		"half at the end":      {`{"a":"\ud800`, `{"a":"\ud800`, "half of a UTF-16 surrogate pair at byte 6"},
		"a bad escape":         {hook(`"a":"\u00g0"`), event(`"a":"\u00g0"`), `invalid character 'g' in \u hexadecimal character escape`},
		"an escape of nothing": {`{"a":"\`, `{"a":"\`, "in string escape code"},
		"an array":             {`[]`, `[]`, "it cannot be a array"},
		"a text":               {`"x"`, `"x"`, "it cannot be a string"},
		"a member twice":       {hook(`"status":"firing","status":"resolved"`), event(`"type":"Normal"`), "is there more than once"},
		"a member twice by escape": {
			hook(`"alerts":[],"\u0061lerts":[]`), event(`"\u0074ype":"Warning"`), "is there more than once",
		},
		"a text member twice below": {
			hook(`"commonLabels":{"a":"1","a":"2"}`), event(`"source":{"host":"a","host":"b"}`), "is there more than once",
		},
	} {
		if _, err := (Prometheus{}).Parse([]byte(test.hook), received()); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: webhook: got %v, want %s", name, err, test.want)
		}
		if _, err := (KubernetesEvent{}).Parse([]byte(test.event), received()); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: event: got %v, want %s", name, err, test.want)
		}
	}
}

// TestABadAlertIsRejectedAlone has a good alert behind each bad one.
func TestABadAlertIsRejectedAlone(t *testing.T) {
	for alert, want := range map[string]string{
		`{"labels":{"alertname":"A","pod":"p"},"labels":{"pod":"q"}}`:                          `the member "labels" is there more than once`,
		`{"labels":{"alertname":"A","pod":"p","pod":"q"}}`:                                     `the member "labels.pod" is there more than once`,
		`{"labels":{"alertname":"A","pod":"p","\u0070od":"q"}}`:                                `the member "labels.pod" is there more than once`,
		`{"labels":{"\u001b[31m":"1","\u001b[31m":"2"}}`:                                       `the member "labels.\x1b[31m" is there more than once`,
		`{"labels":{"alertname":"A","pod":"p"},"startsAt":"","status":""}`:                     "a time is not in RFC 3339 form",
		`{"Labels":{"alertname":"A","pod":"p"}}`:                                               "label alertname is missing",
		`{"labels":{"AlertName":"A","pod":"p"}}`:                                               "label alertname is missing",
		`{"labels":{"alertname":"A","pod":"p"},"status":"firing","status":"resolved"}`:         `the member "status" is there more than once`,
		`{"labels":{"alertname":"A","pod":"p"},"startsAt":"9999-12-31T23:59:59-12:00"}`:        "the time of firing is not between the years 1 and 9999",
		`{"labels":{"alertname":"A","pod":"p"},"startsAt":"0000-01-01T00:00:00Z"}`:             "the time of firing is not between the years 1 and 9999",
		`{"labels":{"alertname":"A","pod":"\u0000"}}`:                                          "the name of the target has a control character",
		`{"labels":{"alertname":"\u001b[31mA","pod":"p"}}`:                                     "the name of the signal has a control character",
		`{"labels":{"alertname":"A","pod":"a\nlevel=info"}}`:                                   "the name of the target has a control character",
		`{"labels":{"alertname":"A","pod":"` + strings.Repeat("\U0001F4A5", 254) + `"}}`:       "the name of the target is longer than 253 characters",
		`{"labels":{"alertname":"A","pod":"p"},"annotations":{"a":"1","a":"1"}}`:               `the member "annotations.a" is there more than once`,
		`{"labels":{"alertname":"A","pod":"p"},"annotations":{"a":{"b":"c"}}}`:                 "annotations cannot be a object",
		`{"labels":{"alertname":"A","pod":"p","namespace":"shop/../kube-system"}}`:             "the namespace is not a valid name",
		`{"labels":{"alertname":"A","pod":"p","namespace":"` + strings.Repeat("n", 64) + `"}}`: "the namespace is not a valid name",
	} {
		parsed, err := Prometheus{}.Parse([]byte(`{"alerts":[`+alert+`,`+goodAlert+`]}`), received())
		if err != nil || len(parsed) != 2 {
			t.Errorf("%s: %v", alert, err)
			continue
		}
		if parsed[0].Err == nil || !strings.Contains(parsed[0].Err.Error(), want) {
			t.Errorf("%s: got %v, want %s", alert, parsed[0].Err, want)
		}
		if parsed[1].Err != nil {
			t.Errorf("%s: spoils the next alert: %v", alert, parsed[1].Err)
		}
	}
}

// TestOddButHarmlessBodiesAreTaken draws the line on the other side.
func TestOddButHarmlessBodiesAreTaken(t *testing.T) {
	for name, member := range map[string]string{
		"an unknown member":         `"x":{"y":[1,null,"z"]}`,
		"an unknown member, twice":  `"x":1,"x":2`,
		"other case beside":         `"STATUS":"resolved","Type":"Normal"`,
		"as deep as is allowed":     `"x":` + nested(63),
		"brackets in a text":        `"x":"` + strings.Repeat(`[{`, 100) + `"`,
		"an escaped quote":          `"x":"\"` + strings.Repeat(`[`, 100) + `"`,
		"an escaped backslash":      `"x":"\\"`,
		"an escape of six bytes":    `"x":"\u0041\u0000"`,
		"a whole surrogate pair":    `"x":"\ud83d\ude00"`,
		"a pair after a pair":       `"x":"\ud83d\ude00\uD83D\uDE00"`,
		"what looks like a half":    `"x":"\\ud800"`,
		"the replacement character": `"x":"\ufffd"`,
		"a huge number":             `"x":1e999999`,
	} {
		parsed, err := Prometheus{}.Parse([]byte(`{"alerts":[`+goodAlert+`],`+member+`}`), received())
		if err != nil || parsed[0].Err != nil || parsed[0].Signal.Resolved {
			t.Errorf("%s: webhook: %+v, %v", name, parsed, err)
		}
		parsed, err = KubernetesEvent{}.Parse([]byte(goodEvent[:len(goodEvent)-1]+`,`+member+`}`), received())
		if err != nil || parsed[0].Err != nil {
			t.Errorf("%s: event: %+v, %v", name, parsed, err)
		}
	}
}

func TestNamesOfMembersMatchInCase(t *testing.T) {
	for _, body := range []string{`null`, `{"Alerts":[` + goodAlert + `]}`, `{"ALERTS":[` + goodAlert + `],"alerts":[]}`} {
		if _, err := (Prometheus{}).Parse([]byte(body), received()); err == nil || err.Error() != "malformed body: the webhook has no alerts" {
			t.Errorf("%s: got %v", body, err)
		}
	}
	for body, want := range map[string]string{
		`null`: "reason is missing",
		`{"Type":"Warning","Reason":"R","InvolvedObject":{"kind":"Pod","name":"p"}}`: "reason is missing",
		`{"type":"Warning","reason":"R","involvedObject":{"Kind":"Pod","Name":"p"}}`: "involvedObject.kind is missing",
		`{"type":"Warning","reason":"R","involvedobject":{"kind":"Pod","name":"p"}}`: "involvedObject.kind is missing",
	} {
		parsed, err := KubernetesEvent{}.Parse([]byte(body), received())
		if err != nil || len(parsed) != 1 || parsed[0].Err == nil || parsed[0].Err.Error() != want {
			t.Errorf("%s: got %v, %v, want %s", body, parsed, err, want)
		}
	}
}

func TestTextOfLabelsIsKeptAsItWasSent(t *testing.T) {
	const sent, want = `\u0000 \u001b[31m \u202e \u0085 é`, "\x00 \x1b[31m \u202e \u0085 é"
	alert := `{"labels":{"alertname":"A","pod":"p","x":"` + sent + `"},"annotations":{"` + sent + `":"y"}}`
	parsed, err := Prometheus{}.Parse([]byte(`{"alerts":[`+alert+`]}`), received())
	if err != nil || parsed[0].Err != nil {
		t.Fatalf("%+v, %v", parsed, err)
	}
	got := parsed[0].Signal
	if got.Labels["x"] != want || got.Annotations[want] != "y" || got.Payload != alert {
		t.Errorf("got %+v", got)
	}
}
