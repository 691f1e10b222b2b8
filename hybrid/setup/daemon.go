package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

const (
	// daemonLog is where a detached daemon writes; it outlives every run.
	daemonLog = "/var/log/hybrid-dockerd.log"
	socket    = "/var/run/docker.sock"
	// startTimeout bounds the daemon's start, measured at 1 to 3 s.
	startTimeout = time.Minute
)

// pidFiles are the daemons' own locks. Both daemons take any live process with
// the noted id for themselves, which after a restart of the machine may be an
// unrelated one: dockerd then refuses to start, or waits for a containerd that
// is not there.
func pidFiles() map[string]string {
	return map[string]string{
		"/var/run/docker.pid":                       "dockerd",
		"/var/run/docker/containerd/containerd.pid": "containerd",
	}
}

// startDaemon starts dockerd, by systemd where that runs, else detached from
// this process, and returns when it answers.
func (s *installer) startDaemon(ctx context.Context, h *task.Handle) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("dockerd did not answer within %s", startTimeout))
	defer cancel()
	if _, err := os.Stat(s.host.path("/run/systemd/system")); err == nil {
		_, err := s.Runner.Run(ctx, command.Command{Args: []string{"systemctl", "enable", "--now", "docker.service"}, Log: h})
		return err
	}
	for file, program := range pidFiles() {
		if err := dropStalePID(s.host, file, program); err != nil {
			return err
		}
	}
	path, err := s.host.find("dockerd")
	if err != nil {
		return fmt.Errorf("find the daemon: %w", err)
	}
	watch, err := watchSocket(s.host.path(socket))
	if err != nil {
		return err
	}
	defer func() { _ = watch.Close() }()
	h.Status("starting %s, log in %s", path, daemonLog)
	ended, err := s.host.launch(path, nil, s.host.path(daemonLog))
	if err != nil {
		return err
	}
	if err := awaitDaemon(ctx, s.host.path(socket), watch, ended); err != nil {
		return fault.With(err, "tail -n 50 "+daemonLog)
	}
	return nil
}

// launch starts path in a session of its own, with its output in logFile and no
// pipe to this process, so that it survives our end and hears none of our
// signals. This is why it does not go through a command.Runner, whose commands
// end with the run.
func launch(path string, args []string, logFile string) (<-chan error, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the daemon's log: %w", err)
	}
	defer func() { _ = log.Close() }() // The daemon has its own descriptor.
	cmd := exec.Command(path, args...) //nolint:noctx // It survives this process on purpose.
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return ended, nil
}

// dropStalePID removes a pid file whose process is gone or is another program.
func dropStalePID(h host, file, program string) error {
	b, err := os.ReadFile(h.path(file))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err == nil && pid > 0 {
		name, err := os.ReadFile(h.path(fmt.Sprintf("/proc/%d/comm", pid)))
		if err == nil && strings.TrimSpace(string(name)) == program {
			if program == "dockerd" {
				return fault.With(fmt.Errorf("dockerd runs as process %d but does not answer", pid),
					fmt.Sprintf("tail -n 50 %s; kill %d; then run this again", daemonLog, pid))
			}
			return nil // dockerd adopts a containerd that it had started.
		}
	}
	return os.Remove(h.path(file))
}

// watchSocket watches the socket's folder; it must be called before the daemon
// starts, so that no event is missed.
func watchSocket(socket string) (*fsnotify.Watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch for the daemon's socket: %w", err)
	}
	if err := w.Add(filepath.Dir(socket)); err != nil {
		return nil, errors.Join(fmt.Errorf("watch for the daemon's socket: %w", err), w.Close())
	}
	return w, nil
}

// awaitDaemon returns when the daemon answers a ping. A connection made while
// the daemon still initialises waits in its backlog, so the ping is retried
// only when the socket itself is created or changed.
func awaitDaemon(ctx context.Context, socket string, watch *fsnotify.Watcher, ended <-chan error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-ended:
			cancel(fmt.Errorf("dockerd ended before it answered: %v", err)) //nolint:errorlint // It is nil after exit code 0.
		case <-ctx.Done():
		}
	}()
	for {
		err := ping(ctx, socket)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := awaitChange(ctx, socket, watch); err != nil {
			return err
		}
	}
}

// awaitChange returns at the next event of the socket.
func awaitChange(ctx context.Context, socket string, watch *fsnotify.Watcher) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-watch.Errors:
			return fmt.Errorf("watch for the daemon's socket: %w", err)
		case event := <-watch.Events:
			if event.Name == socket {
				return nil
			}
		}
	}
}

// ping asks the daemon whether it is ready.
func ping(ctx context.Context, socket string) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the daemon answered %s", response.Status)
	}
	return nil
}
