package progress

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

func failed(t *testing.T, errs ...error) string {
	t.Helper()
	var w buffer
	p := New(&w, Options{})
	for _, err := range errs {
		p.Failure(err)
	}
	p.Close()
	return w.String()
}

func TestFailureOfTasks(t *testing.T) {
	cmd := &command.Error{
		Args: []string{"docker", "build", "."}, ExitCode: 1,
		Tail: "#12 ERROR:\n\tno space \x1b[31mleft\x1b[0m\r\n\nexit code: 1", Err: errors.New("exit status 1"),
	}
	a := &task.Error{
		Phase: "build", Task: "image.gateway", LogFile: "/run/logs/image.gateway.log",
		Err: fault.With(fmt.Errorf("build gateway: %w", cmd), "mage doctor"),
	}
	b := &task.Error{Phase: "build", Task: "image.redis", Err: errors.New("no base image\nno registry")}
	all := fault.With(fmt.Errorf("run 1: %w", errors.Join(a, b, errors.New("teardown: cluster is still there"))), "mage e2e:gateway")
	want := []string{
		"",
		"FAILED  build: image.gateway",
		"  cause   build gateway: docker build .: exit status 1",
		"  output  #12 ERROR:",
		"              no space left",
		"          exit code: 1",
		"  log     /run/logs/image.gateway.log",
		"  next    mage doctor",
		"",
		"FAILED  build: image.redis",
		"  cause   no base image",
		"          no registry",
		"",
		"FAILED",
		"  cause   teardown: cluster is still there",
		"  next    mage e2e:gateway",
	}
	expect(t, failed(t, all), want...)
	// What was printed is not printed again, alone or joined.
	expect(t, failed(t, all, all, a), want...)
}

func TestFailureKeepsANextStepThatATaskBrings(t *testing.T) {
	inner := &task.Error{Phase: "build", Task: "a", Err: fault.With(errors.New("x"), "first")}
	expect(t, failed(t, fault.With(inner, "second")),
		"",
		"FAILED  build: a",
		"  cause   x",
		"  next    first",
	)
}

func TestFailureWithoutTasks(t *testing.T) {
	expect(t, failed(t, fault.With(errors.Join(errors.New("no engine"), errors.New("docker: not installed")), "mage setup")),
		"",
		"FAILED",
		"  cause   no engine",
		"          docker: not installed",
		"  next    mage setup",
	)
	// Errors that each bring a next step stand apart.
	expect(t, failed(t, errors.Join(fault.With(errors.New("a"), "fix a"), fault.With(errors.New("b"), "fix b"))),
		"",
		"FAILED",
		"  cause   a",
		"  next    fix a",
		"",
		"FAILED",
		"  cause   b",
		"  next    fix b",
	)
	// A sentence made of two errors stays whole.
	expect(t, failed(t, fmt.Errorf("both %w and %w", fault.With(errors.New("a"), "fix a"), errors.New("b"))),
		"",
		"FAILED",
		"  cause   both a and b",
		"  next    fix a",
	)
	if got := failed(t, nil); got != "" {
		t.Errorf("nil printed %q", got)
	}
}
