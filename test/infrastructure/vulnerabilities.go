package infrastructure

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

const (
	// vulnerabilityDatabase is what govulncheck asks unless GOVULNDB names another one.
	vulnerabilityDatabase = "https://vuln.go.dev"
	// databaseTimeout bounds the look whether it can be reached.
	databaseTimeout = 5 * time.Second
)

// Vulnerabilities has govulncheck look for known vulnerabilities in code that is called.
// Where its database cannot be reached it says so, and that is no failure: the machine
// cannot help it. Whatever goes wrong has been printed when it returns.
func Vulnerabilities(ctx context.Context) error {
	_, o, err := prepare(defaultSuite)
	if err != nil {
		return tell(err)
	}
	return tell(vulnerabilities(ctx, command.Exec{}, o.Root, o.Out, os.Getenv("GOVULNDB")))
}

func vulnerabilities(ctx context.Context, r command.Runner, root string, out io.Writer, database string) error {
	if database == "" {
		database = vulnerabilityDatabase
	}
	if err := reachable(ctx, database); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fmt.Fprintf(out, "vulnerabilities: not looked for, %v (GOVULNDB names another database)\n", err)
		return nil
	}
	args := append([]string{"go", "tool", "-modfile=tools/go.mod", "govulncheck", "-db=" + database}, UnitTested()...)
	_, err := r.Run(ctx, command.Command{Args: args, Dir: root, Stdout: out, Log: out})
	return fault.With(err, "update the modules that it names: go get <module>@<fixed version>")
}

// reachable looks for the database's index. One that is a folder is govulncheck's matter.
func reachable(ctx context.Context, database string) error {
	if strings.HasPrefix(database, "file:") {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, databaseTimeout, fmt.Errorf("%s does not answer within %s", database, databaseTimeout))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(database, "/")+"/index/db.json", nil) //nolint:gosec // The user names it.
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request) //nolint:gosec // As above.
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	if err := answer.Body.Close(); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", database, answer.Status)
	}
	return nil
}
