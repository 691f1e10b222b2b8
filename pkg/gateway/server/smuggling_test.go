package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// smuggled is a request that a reader takes for one of its own if it ends the
// request before it earlier than the Gateway does.
const smuggled = "GET /health HTTP/1.1\r\nHost: gateway\r\n\r\n"

// last is a request whose answer proves that the one before it ended where the
// sender meant it to end.
const last = "GET /healthz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"

// raw is a signal request with the given lines between its first and its body.
func raw(first, lines, body string) string {
	return first + "\r\n" + lines + "Authorization: Bearer t\r\nX-Timestamp: " + strconv.FormatInt(time.Now().Unix(), 10) + "\r\n\r\n" + body
}

// TestNoRequestIsSmuggled speaks to the Gateway's own http.Server as no client
// library would. Every case ends with the connection closed by the Gateway, so
// that the list of answers is complete.
func TestNoRequestIsSmuggled(t *testing.T) {
	t.Parallel()
	const post, host = "POST " + PathPrometheus + " HTTP/1.1", "Host: gateway\r\n"
	signal := webhook(alertOf("p"))
	length := func(of string) string { return fmt.Sprintf("Content-Length: %d\r\n", len(of)) }
	chunk := func(extension, of string) string { return fmt.Sprintf("%x%s\r\n%s\r\n0\r\n", len(of), extension, of) }
	const chunked = "Transfer-Encoding: chunked\r\n"
	for name, test := range map[string]struct {
		sent string
		want []int
	}{
		// What is in order stays open for the next request.
		"plain":                   {raw(post, host+length(signal), signal) + last, []int{201, 200}},
		"absolute URI":            {raw("POST http://gateway"+PathPrometheus+" HTTP/1.1", host+length(signal), signal) + last, []int{201, 200}},
		"absolute URI, other":     {raw("POST http://other"+PathPrometheus+" HTTP/1.1", host+length(signal), signal) + last, []int{201, 200}},
		"length twice, the same":  {raw(post, host+length(signal)+length(signal), signal) + last, []int{201, 200}},
		"folded line":             {raw(post, host+"X-Long: a\r\n b\r\n"+length(signal), signal) + last, []int{201, 200}},
		"lines that end in LF":    {strings.ReplaceAll(raw(post, host+length(signal), ""), "\r\n", "\n") + signal + last, []int{201, 200}},
		"inside the length":       {raw(post, host+length(signal+smuggled), signal+smuggled) + last, []int{400, 200}},
		"body of a GET":           {raw("GET /health HTTP/1.1", host+length(smuggled), smuggled) + last, []int{200, 200}},
		"body nobody reads":       {raw("POST /nothing HTTP/1.1", host+length(smuggled), smuggled) + last, []int{404, 200}},
		"length in another digit": {raw(post, host+"Content-Length: ٥\r\n", smuggled), []int{400}},

		// Two readers could see the end in two places.
		"length and chunked":           {raw(post, host+length(signal)+chunked, "0\r\n\r\n"+smuggled), []int{400}},
		"chunked and length":           {raw(post, host+chunked+"Content-Length: 4\r\n", chunk("", signal)+"\r\n"+smuggled), []int{201}},
		"chunked":                      {raw(post, host+chunked, chunk("", signal)+"\r\n"+smuggled), []int{201}},
		"chunked, folded":              {raw(post, host+"Transfer-Encoding:\r\n chunked\r\n", chunk("", signal)+"\r\n"+smuggled), []int{201}},
		"chunked in HTTP/1.0":          {raw("POST "+PathPrometheus+" HTTP/1.0", "Connection: keep-alive\r\n"+chunked, "0\r\n\r\n"+smuggled), []int{400}},
		"HTTP/1.0, kept alive":         {raw("POST "+PathPrometheus+" HTTP/1.0", "Connection: keep-alive\r\n"+length(signal), signal+smuggled), []int{201}},
		"lengths that differ":          {raw(post, host+length(signal)+"Content-Length: 4\r\n", signal+smuggled), []int{400}},
		"list of lengths":              {raw(post, host+"Content-Length: 4, 4\r\n", "{}  "+smuggled), []int{400}},
		"signed length":                {raw(post, host+"Content-Length: +4\r\n", "{}  "+smuggled), []int{400}},
		"negative length":              {raw(post, host+"Content-Length: -1\r\n", smuggled), []int{400}},
		"hexadecimal length":           {raw(post, host+"Content-Length: 0x4\r\n", "{}  "+smuggled), []int{400}},
		"endless length":               {raw(post, host+"Content-Length: 99999999999999999999\r\n", smuggled), []int{400}},
		"blank before the colon":       {raw(post, host+"Transfer-Encoding : chunked\r\n", "0\r\n\r\n"+smuggled), []int{400}},
		"unknown coding":               {raw(post, host+"Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"+smuggled), []int{501}},
		"coding behind chunked":        {raw(post, host+"Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"+smuggled), []int{501}},
		"two codings":                  {raw(post, host+chunked+"Transfer-Encoding: identity\r\n", "0\r\n\r\n"+smuggled), []int{501}},
		"vertical tab in coding":       {raw(post, host+"Transfer-Encoding: chunked\v\r\n", "0\r\n\r\n"+smuggled), []int{400}},
		"chunk size without end":       {raw(post, host+chunked, "g\r\n\r\n"+smuggled), []int{400}},
		"chunk size that overflows":    {raw(post, host+chunked, "ffffffffffffffff1\r\n{}\r\n"+smuggled), []int{400}},
		"chunk that is too short":      {raw(post, host+chunked, "1\r\n{}\r\n0\r\n\r\n"+smuggled), []int{400}},
		"chunk size that ends in LF":   {raw(post, host+chunked, "2\n{}\r\n0\r\n\r\n"+smuggled), []int{400}},
		"chunk extension":              {raw(post, host+chunked, chunk(`;a="b"`, signal)+"\r\n"+smuggled), []int{201}},
		"chunk extension without end":  {raw(post, host+chunked, chunk(";"+strings.Repeat("a", 5000), signal)+"\r\n"+smuggled), []int{400}},
		"chunk extension that ends LF": {raw(post, host+chunked, chunk(";a\nb", signal)+"\r\n"+smuggled), []int{400}},

		// Headers that are read differently, or that cost too much.
		"token in a trailer":       {post + "\r\n" + host + chunked + "Trailer: Authorization\r\n\r\n" + chunk("", signal) + "Authorization: Bearer t\r\n\r\n" + smuggled, []int{401}},
		"two tokens":               {raw(post, host+"Authorization: Bearer u\r\n"+length(signal), signal) + last, []int{401, 200}},
		"two timestamps":           {raw(post, host+"X-Timestamp: 1\r\n"+length(signal), signal) + last, []int{400, 200}},
		"two timestamps, turned":   {strings.Replace(raw(post, host+length(signal), signal), "\r\n\r\n", "\r\nX-Timestamp: 1\r\n\r\n", 1) + last, []int{400, 200}},
		"fold before all":          {raw(post, " folded\r\n"+host+length(signal), signal+smuggled), []int{400}},
		"NUL in a value":           {raw(post, host+"X-A: a\x00b\r\n"+length(signal), signal+smuggled), []int{400}},
		"NUL in a name":            {raw(post, host+"X\x00A: b\r\n"+length(signal), signal+smuggled), []int{400}},
		"NUL in the path":          {raw("POST /\x00 HTTP/1.1", host+length(signal), signal+smuggled), []int{400}},
		"CR alone in a value":      {raw(post, host+"X-A: a\rX-B: b\r\n"+length(signal), signal+smuggled), []int{400}},
		"line without a colon":     {raw(post, host+"X-A\r\n"+length(signal), signal+smuggled), []int{400}},
		"no host":                  {raw(post, length(signal), signal+smuggled), []int{400}},
		"two hosts":                {raw(post, host+"Host: other\r\n"+length(signal), signal+smuggled), []int{400}},
		"host that is none":        {raw(post, "Host: a b\r\n"+length(signal), signal+smuggled), []int{400}},
		"large headers":            {raw(post, host+"X-A: "+strings.Repeat("a", 70<<10)+"\r\n"+length(signal), signal+smuggled), []int{431}},
		"many headers":             {raw(post, host+strings.Repeat("X-A: a\r\n", 10<<10)+length(signal), signal+smuggled), []int{431}},
		"expectation nobody knows": {raw(post, host+"Expect: more\r\n"+length(signal), signal) + last, []int{417}},
		"HTTP/2 without TLS":       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + smuggled, []int{405}},
		"HTTP/0.9":                 {"GET /health\r\n\r\n" + smuggled, []int{400}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			address := listen(t, httpServer(f.handler, f.server.Config.Server, f.server.Logger))
			if got := converse(t, address, test.sent); !slices.Equal(got, test.want) {
				t.Errorf("answered %v, want %v", got, test.want)
			}
			if created := f.book.seen["p"]; created != int64(strings.Count(fmt.Sprint(test.want), "201")) {
				t.Errorf("recorded %d signals", created)
			}
		})
	}
}

// converse sends text as it is and returns the statuses of all answers. The
// Gateway has to close the connection.
func converse(t *testing.T, address, text string) []int {
	t.Helper()
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(4 * time.Second)); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(connection, text)
		written <- err
	}()
	answers, err := io.ReadAll(connection)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection stays open after %q", answers)
	}
	_ = connection.Close()
	<-written // An error is the Gateway's way of not reading the rest.
	return statuses(t, answers)
}

// statuses reads the answers that came over one connection.
func statuses(t *testing.T, answers []byte) []int {
	t.Helper()
	var found []int
	reader := bufio.NewReader(bytes.NewReader(answers))
	for {
		if _, err := reader.Peek(1); err != nil {
			return found
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("no answer: %v in %q", err, answers)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatalf("half an answer: %v in %q", err, answers)
		}
		if bytes.Contains(body, []byte(".go")) || bytes.Contains(body, []byte("goroutine")) {
			t.Errorf("%d says %q", response.StatusCode, body)
		}
		found = append(found, response.StatusCode)
	}
}
