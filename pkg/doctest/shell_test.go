package doctest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// echo answers with the request.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	_, _ = fmt.Fprintf(w, "%s %s %s [%s] [%s] [%s] %s", r.Method, r.Host, r.URL, r.Header.Get("Content-Type"),
		r.Header.Get("Authorization"), r.Header.Get("X-Timestamp"), body)
}

func TestTheShellRunsExamples(t *testing.T) {
	shell := Shell{Handler: http.HandlerFunc(echo), Now: time.Unix(7, 0), Env: []string{"TOKEN=t"}}
	for script, want := range map[string]string{
		`curl -s http://gateway:8080/health?x=1`:         "GET gateway:8080 /health?x=1 [] [] [] ",
		`curl -i -X DELETE http://g/x`:                   "DELETE g /x [] [] [] ",
		`curl http://g/ -d 'a b'`:                        "POST g / [application/x-www-form-urlencoded] [] [] a b",
		`curl -X PUT -H 'Content-Type: a/b' -d '' g://g`: "PUT g / [a/b] [] [] ",
		"curl http://g/ \\\n  -H \"Authorization: Bearer $TOKEN\" -H \"X-Timestamp: $(date +%s)\" --json @- <<'EOF'\n{\"a\": \"$b\"}\nEOF\n": "POST g / [application/json] [Bearer t] [7] {\"a\": \"$b\"}\n",
	} {
		answers, err := shell.Run(t.Context(), script)
		if err != nil || len(answers) != 1 {
			t.Errorf("%s: %d answers, %v", script, len(answers), err)
			continue
		}
		if got := answers[0].Body.String(); got != want || answers[0].Code != http.StatusAccepted {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
}

func TestExamplesThatCannotBeRun(t *testing.T) {
	shell := Shell{Handler: http.HandlerFunc(echo)}
	for script, want := range map[string]string{
		`curl 'http://g/`:          "read the example",
		`kubectl get pods`:         `no command ["kubectl" "get" "pods"]`,
		`curl -k http://g/`:        `do not use curl with "-k"`,
		`curl http://g/ http://h/`: `do not use curl with "http://h/"`,
		`curl http://g/ -H`:        "-H has no value",
		`curl http://g/ -H Host`:   `"Host" is no header`,
		`curl /health`:             `"/health" is no address`,
		`false`:                    "exit status 1",
	} {
		if _, err := shell.Run(t.Context(), script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", script, err, want)
		}
	}
}

func TestAnswersAreComparedWithWhatAPageShows(t *testing.T) {
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/json")
	answer.Header().Set("X-Other", "1")
	answer.WriteHeader(http.StatusMultiStatus)
	_, _ = io.WriteString(answer, `{"a":1,"b":[2]}`)
	for shown, want := range map[string]string{
		"HTTP/1.1 207 Multi-Status\nContent-Type: application/json\n\n{\n  \"b\": [2],\n  \"a\": 1\n}\n": "",
		"HTTP/1.1 200 OK\n\n{\"a\":1,\"b\":[2]}":                                                         "the status is 207 Multi-Status, the page shows 200 OK",
		"HTTP/1.1 207 Multi-Status\nX-Other: 2\n\n{\"a\":1,\"b\":[2]}":                                   `the header X-Other is ["1"], the page shows ["2"]`,
		"HTTP/1.1 207 Multi-Status\nETag: \"2\"\n\n{\"a\":1,\"b\":[2]}":                                  "the header Etag is []",
		"HTTP/1.1 207 Multi-Status\n\n{\"a\":1}":                                                         "the body is",
		"HTTP/1.1 207 Multi-Status\n\ntext":                                                              "the body is",
		"207 Multi-Status":                                                                               "no HTTP answer",
	} {
		err := Matches(shown, answer)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", shown, err, want)
		}
	}
	bare := httptest.NewRecorder()
	bare.WriteHeader(http.StatusNotModified)
	if err := Matches("HTTP/1.1 304 Not Modified\n", bare); err != nil {
		t.Error(err)
	}
	plain := httptest.NewRecorder()
	_, _ = io.WriteString(plain, "fine\n")
	if err := Matches("HTTP/1.1 200 OK\n\nfine\n", plain); err != nil {
		t.Error(err)
	}
}
