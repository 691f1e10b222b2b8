package realstores

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// The password of both stores, whose only client is the test.
const password = "test-only"

// startTimeout bounds the start of one server. Each takes about a second on an idle
// machine; the rest is for one that compiles at the same time.
const startTimeout = 60 * time.Second

// process is one server program.
type process struct {
	command *exec.Cmd
	output  *lockedBuffer
	done    chan struct{}
}

// binary finds a program on PATH or where Debian keeps the servers of PostgreSQL.
func binary(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is not installed: the tests of DataStorage run against real stores; install it with: mage setup", name)
	}
	return found[len(found)-1], nil
}

// folder makes a temporary folder that the servers' user owns.
func folder() (string, error) {
	path, err := os.MkdirTemp("", "realstores-")
	if err != nil {
		return "", err
	}
	credential, err := unprivileged()
	if err != nil {
		return "", err
	}
	if credential != nil {
		if err := os.Chown(path, int(credential.Uid), int(credential.Gid)); err != nil {
			return "", err
		}
	}
	return path, nil
}

// unprivileged returns the user for the servers: PostgreSQL refuses to run as root. Nil
// means the user of the test.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("tests run as root need the user nobody for the servers: %w", err)
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func prepare(ctx context.Context, dir, path string, arguments ...string) (*exec.Cmd, error) {
	command := exec.CommandContext(ctx, path, arguments...)
	command.Dir = dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TMPDIR=" + dir}
	credential, err := unprivileged()
	if err != nil {
		return nil, err
	}
	if credential != nil {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	}
	return command, nil
}

func start(dir, path string, arguments ...string) (*process, error) {
	command, err := prepare(context.Background(), dir, path, arguments...)
	if err != nil {
		return nil, err
	}
	p := &process{command: command, output: &lockedBuffer{}, done: make(chan struct{})}
	command.Stdout, command.Stderr = p.output, p.output
	if err := command.Start(); err != nil {
		return nil, err
	}
	go func() {
		// The way in which it ended is of no interest: the test sees the effect.
		_ = command.Wait()
		close(p.done)
	}()
	return p, nil
}

// until calls ready until it succeeds. It fails when the server has ended or the time
// is over, with what the server had to say.
func (p *process) until(ready func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended at its start:\n%s", p.command.Path, p.output)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s: %w\n%s", p.command.Path, startTimeout, err, p.output)
		case <-ticker.C:
		}
	}
}

func (p *process) signal(signal syscall.Signal) error { return p.command.Process.Signal(signal) }

// stop ends the server and waits for it.
func (p *process) stop(signal syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	// A frozen server takes no other signal before it goes on.
	err := errors.Join(p.signal(syscall.SIGCONT), p.signal(signal))
	<-p.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // Nothing waits for a local port.
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil //nolint:errcheck // A TCP listener has a TCP address.
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// secrets writes one file per secret into a new folder below dir.
func secrets(dir string, values map[string]string) (string, error) {
	path, err := os.MkdirTemp(dir, "secrets-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(path, 0o755); err != nil {
		return "", err
	}
	for name, value := range values {
		if err := os.WriteFile(filepath.Join(path, name), []byte(value), 0o644); err != nil {
			return "", err
		}
	}
	return path, nil
}

// lockedBuffer is written by the server and read by the test.
type lockedBuffer struct {
	mutex sync.Mutex
	bytes bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.String()
}
