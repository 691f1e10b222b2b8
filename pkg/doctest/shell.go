package doctest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// Shell runs the commands of examples as a shell does, with two differences: curl
// asks the handler, and date tells its time. There are no other commands.
type Shell struct {
	Handler http.Handler
	Now     time.Time
	// Env holds variables, such as "TOKEN=t".
	Env []string
}

// Run returns the answers to the requests that the script sends, in their order.
// An error names the command that an example cannot have.
func (s Shell) Run(ctx context.Context, script string) ([]*httptest.ResponseRecorder, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(script), "example")
	if err != nil {
		return nil, fmt.Errorf("read the example: %w", err)
	}
	session := &session{shell: s}
	runner, err := interp.New(interp.Env(expand.ListEnviron(s.Env...)), interp.Params("-e"),
		interp.StdIO(nil, io.Discard, io.Discard),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return session.exec }))
	if err != nil {
		return nil, fmt.Errorf("make the shell: %w", err)
	}
	err = runner.Run(ctx, file)
	if session.failure != nil {
		err = session.failure
	}
	return session.answers, err
}

// session is one run of a script.
type session struct {
	shell   Shell
	answers []*httptest.ResponseRecorder
	failure error // why a command cannot be run
}

// exec is called for each command that is not built into the shell.
func (s *session) exec(ctx context.Context, argv []string) error {
	world := interp.HandlerCtx(ctx)
	switch {
	case slices.Equal(argv, []string{"date", "+%s"}):
		_, _ = fmt.Fprintln(world.Stdout, s.shell.Now.Unix())
		return nil
	case argv[0] == "curl":
		request, err := curl(ctx, argv[1:], world.Stdin)
		if err != nil {
			s.failure = err
			return interp.ExitStatus(1)
		}
		recorder := httptest.NewRecorder()
		s.shell.Handler.ServeHTTP(recorder, request)
		s.answers = append(s.answers, recorder)
		return nil
	}
	s.failure = fmt.Errorf("examples have no command %q", argv)
	return interp.ExitStatus(1)
}

// curl makes the request that curl would send. It knows the options that examples
// need: -i and -s, -X, -H, -d and --json, both also with @- for standard input.
func curl(ctx context.Context, arguments []string, stdin io.Reader) (*http.Request, error) {
	c := call{method: http.MethodGet, header: http.Header{"Accept": {"*/*"}}, stdin: stdin}
	for len(arguments) > 0 {
		option := arguments[0]
		arguments = arguments[1:]
		switch option {
		case "-i", "-s":
			continue
		case "-X", "-H", "-d", "--json":
			if len(arguments) == 0 {
				return nil, fmt.Errorf("curl: %s has no value", option)
			}
			if err := c.set(option, arguments[0]); err != nil {
				return nil, err
			}
			arguments = arguments[1:]
		default:
			if strings.HasPrefix(option, "-") || c.url != "" {
				return nil, fmt.Errorf("examples do not use curl with %q", option)
			}
			c.url = option
		}
	}
	return c.request(ctx)
}

// call is a request in the making.
type call struct {
	method, url string
	explicit    bool // the method is that of -X
	header      http.Header
	body        []byte
	stdin       io.Reader
}

func (c *call) set(option, value string) error {
	switch option {
	case "-X":
		c.method, c.explicit = value, true
	case "-H":
		name, content, found := strings.Cut(value, ":")
		if !found {
			return fmt.Errorf("curl: %q is no header", value)
		}
		c.header.Set(name, strings.TrimSpace(content))
	default:
		kind := "application/x-www-form-urlencoded"
		if option == "--json" {
			kind = "application/json"
			c.header.Set("Accept", kind)
		}
		if c.header.Get("Content-Type") == "" {
			c.header.Set("Content-Type", kind)
		}
		if !c.explicit {
			c.method = http.MethodPost
		}
		c.body = []byte(value)
		if value == "@-" {
			var err error
			if c.body, err = io.ReadAll(c.stdin); err != nil {
				return fmt.Errorf("curl: read the body: %w", err)
			}
		}
	}
	return nil
}

// request makes the request as a server sees it.
func (c *call) request(ctx context.Context) (*http.Request, error) {
	target, err := url.Parse(c.url)
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("curl: %q is no address", c.url)
	}
	request := httptest.NewRequestWithContext(ctx, c.method, target.RequestURI(), bytes.NewReader(c.body))
	request.Host, request.Header = target.Host, c.header
	return request, nil
}
