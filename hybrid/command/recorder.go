package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Recorder is a Runner for unit tests: it starts nothing, answers from Replies
// and remembers every call.
type Recorder struct {
	// Replies maps a command line, as Command.String gives it, or a prefix of
	// one to what the command answers. The longest match wins.
	Replies map[string]Reply

	mu    sync.Mutex
	calls []string
	stdin []string
}

// Reply is the scripted answer to one command.
type Reply struct {
	Stdout string
	Err    error
}

// Run implements Runner. A command without a reply fails, so that a test
// states everything it expects.
func (r *Recorder) Run(ctx context.Context, c Command) ([]byte, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, &Error{Args: c.Args, ExitCode: -1, Err: err}
	}
	input := ""
	if c.Stdin != nil {
		b, err := io.ReadAll(c.Stdin)
		if err != nil {
			return nil, &Error{Args: c.Args, ExitCode: -1, Err: err}
		}
		input = string(b)
	}
	line := c.String()
	r.mu.Lock()
	r.calls = append(r.calls, line)
	r.stdin = append(r.stdin, input)
	r.mu.Unlock()

	best, found := "", false
	for prefix := range r.Replies {
		if strings.HasPrefix(line, prefix) && (!found || len(prefix) > len(best)) {
			best, found = prefix, true
		}
	}
	if !found {
		return nil, &Error{Args: c.Args, ExitCode: 127, Err: fmt.Errorf("the recorder has no reply for this command")}
	}
	reply := r.Replies[best]
	if reply.Err != nil {
		return nil, &Error{Args: c.Args, ExitCode: 1, Err: reply.Err}
	}
	if c.Stdout != nil {
		_, err := io.WriteString(c.Stdout, reply.Stdout)
		return nil, err
	}
	return []byte(reply.Stdout), nil
}

// Calls lists the command lines run so far, in order.
func (r *Recorder) Calls() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.calls...)
}

// Stdin lists what each call was given on standard input, in order.
func (r *Recorder) Stdin() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.stdin...)
}
