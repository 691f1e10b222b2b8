package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// The engines that Hybrid drives.
const (
	Docker = "docker"
	Podman = "podman"
)

// Kinds lists the engines that Hybrid drives, the preferred one first.
func Kinds() []string { return []string{Docker, Podman} }

// nerdctl is a client that looks like docker's and that Hybrid cannot drive: version 2.1
// has no more events than starts, no system df, and its commit knows no LABEL.
const nerdctl = "nerdctl"

const nerdctlLacks = "nerdctl tells neither of containers that end nor of the disk that it uses, and commits no labels"

// CheckKind tells whether prefer is one of Kinds, or empty, and else why not.
func CheckKind(prefer string) error {
	switch {
	case prefer == "" || slices.Contains(Kinds(), prefer):
		return nil
	case prefer == nerdctl:
		return fmt.Errorf("CONTAINER_ENGINE=%q: %s; want one of %s", prefer, nerdctlLacks, strings.Join(Kinds(), ", "))
	}
	return fmt.Errorf("CONTAINER_ENGINE=%q: want one of %s", prefer, strings.Join(Kinds(), ", "))
}

// probeTimeout bounds one "is the engine there" call; a healthy local engine
// answers in well under 0.1 s.
const probeTimeout = 10 * time.Second

// ErrNone says that no container engine is reachable.
var ErrNone = errors.New("no container engine is reachable")

// Engine is a reachable container engine.
type Engine struct {
	// Kind is one of Kinds.
	Kind string
	// CLI is the path of the client that is run.
	CLI string
	// Version is the engine's (not the client's) version.
	Version string
	// Runner runs the client.
	Runner command.Runner
	// Mark is the run's: the names of containers that are made for a moment have it,
	// so that they are found when the run was killed. Empty is for what is no run.
	Mark string
}

// Detect finds the engine to use. An empty prefer takes the first reachable of
// Kinds; one of them insists on that one. When nothing is reachable the error is
// ErrNone with the next command to run.
func Detect(ctx context.Context, runner command.Runner, prefer string) (*Engine, error) {
	return detect(ctx, runner, prefer, executables)
}

func detect(ctx context.Context, runner command.Runner, prefer string, find func(string) []string) (*Engine, error) {
	if err := CheckKind(prefer); err != nil {
		return nil, fault.With(err, "set CONTAINER_ENGINE to "+strings.Join(Kinds(), " or ")+", or unset it")
	}
	kinds := Kinds()
	if prefer != "" {
		kinds = []string{prefer}
	}
	reasons := []error{ErrNone}
	for _, kind := range kinds {
		clients := find(kind)
		if len(clients) == 0 {
			reasons = append(reasons, fmt.Errorf("%s: not installed", kind))
			continue
		}
		var fallback *Engine
		for _, cli := range clients {
			e := &Engine{Kind: kind, CLI: cli, Runner: runner}
			version, err := e.probe(ctx)
			if err != nil {
				if cause := context.Cause(ctx); cause != nil {
					return nil, cause
				}
				reasons = append(reasons, fmt.Errorf("%s: %s", cli, lastLine(err)))
				continue
			}
			if e.canBuild(ctx, version) {
				return e, nil
			}
			fallback = e
		}
		if fallback != nil {
			return nil, fault.With(
				fmt.Errorf("%s reaches engine %s but cannot build with BuildKit (no buildx)", fallback.CLI, fallback.Version),
				"install the docker-buildx plugin, or a docker client with BuildKit built in (apt-get install docker.io)")
		}
	}
	if prefer == "" && len(find(nerdctl)) > 0 {
		reasons = append(reasons, errors.New(nerdctlLacks))
	}
	return nil, fault.With(errors.Join(reasons...), "go run magefile.go setup")
}

// probe asks the engine for its version, and whether it can run nodes. It returns the
// client's version.
func (e *Engine) probe(ctx context.Context) (client string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	format := "{{.Client.Version}} {{.Server.Version}}"
	if e.Kind == Podman {
		format = "{{.Client.Version}}" // It has no server.
	}
	out, err := e.Run(ctx, nil, "version", "--format", format)
	if err != nil {
		return "", err
	}
	client, e.Version, _ = strings.Cut(strings.TrimSpace(string(out)), " ")
	if e.Kind == Podman {
		e.Version = client
	}
	return client, e.canRunNodes(ctx)
}

// canRunNodes refuses a podman without root where kind starts no node, before anything
// is built for one.
func (e *Engine) canRunNodes(ctx context.Context) error {
	if e.Kind != Podman {
		return nil
	}
	out, err := e.Run(ctx, nil, "info", "--format", "{{.Host.Security.Rootless}} {{.Host.CgroupsVersion}}")
	if err == nil && strings.TrimSpace(string(out)) == "true v1" {
		err = errors.New("without root it needs cgroup v2, and this machine has v1")
	}
	return err
}

// canBuild tells whether the client builds with BuildKit (or is podman, whose
// builder has cache mounts of its own). Docker clients before 23 have BuildKit
// built in; later ones need the buildx plugin.
func (e *Engine) canBuild(ctx context.Context, client string) bool {
	if e.Kind == Podman {
		return true
	}
	if major, ok := majorVersion(client); ok && major < 23 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := e.Run(ctx, nil, "buildx", "version")
	return err == nil
}

// majorVersion is the first number of a version such as 20.10.24+dfsg1; ok is false for
// what is no version.
func majorVersion(version string) (major int, ok bool) {
	first, _, found := strings.Cut(version, ".")
	n, err := strconv.ParseUint(first, 10, 16)
	return int(n), found && err == nil
}

// Run runs the client with args; standard output is returned, the rest goes to
// log, which may be nil.
func (e *Engine) Run(ctx context.Context, log io.Writer, args ...string) ([]byte, error) {
	return e.Runner.Run(ctx, e.Command(log, args...))
}

// Command is the client with args, for callers that need to set more of it.
func (e *Engine) Command(log io.Writer, args ...string) command.Command {
	return command.Command{Args: append([]string{e.CLI}, args...), Log: log}
}

// executables lists every executable called name on PATH, first one first, and
// Debian's own place last: a vendor's client earlier on PATH may lack BuildKit.
func executables(name string) []string {
	var found, targets []string
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		path, err := exec.LookPath(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		// /bin is often a link to /usr/bin: the same program counts once.
		if target, err := filepath.EvalSymlinks(path); err == nil && !slices.Contains(targets, target) {
			found, targets = append(found, path), append(targets, target)
		}
	}
	return found
}

// lastLine is the part of a client's error that says why.
func lastLine(err error) string {
	var failed *command.Error
	if errors.As(err, &failed) && failed.Tail != "" {
		lines := strings.Split(failed.Tail, "\n")
		return strings.TrimSpace(lines[len(lines)-1])
	}
	return err.Error()
}
