package doctest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
)

// Matches compares an answer with the one that an example shows: a status line,
// some headers, an empty line and the body. The headers that are shown must be
// there with these values; there may be more. JSON bodies are compared by what
// they say, others by their text. The error says what differs.
func Matches(shown string, got *httptest.ResponseRecorder) error {
	// An example without a body needs no empty line at its end.
	want, err := http.ReadResponse(bufio.NewReader(strings.NewReader(shown+"\n")), nil)
	if err != nil {
		return fmt.Errorf("the example shows no HTTP answer: %w", err)
	}
	defer func() { _ = want.Body.Close() }()
	body, err := io.ReadAll(want.Body)
	if err != nil {
		return fmt.Errorf("the example shows no HTTP answer: %w", err)
	}
	var problems []error
	if status := fmt.Sprintf("%d %s", got.Code, http.StatusText(got.Code)); status != want.Status {
		problems = append(problems, fmt.Errorf("the status is %s, the page shows %s", status, want.Status))
	}
	for name, values := range want.Header {
		if !reflect.DeepEqual(values, got.Header().Values(name)) {
			problems = append(problems, fmt.Errorf("the header %s is %q, the page shows %q", name, got.Header().Values(name), values))
		}
	}
	if !same(body, got.Body.Bytes()) {
		problems = append(problems, fmt.Errorf("the body is\n%s\nthe page shows\n%s", got.Body, body))
	}
	return errors.Join(problems...)
}

func same(shown, got []byte) bool {
	var want, have any
	if json.Unmarshal(shown, &want) == nil && json.Unmarshal(got, &have) == nil {
		return reflect.DeepEqual(want, have)
	}
	return strings.TrimSpace(string(shown)) == strings.TrimSpace(string(got))
}
