package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// phase names the group of setup tasks in events and errors.
const phase = "setup"

// Options says how setup talks to the machine and to people.
type Options struct {
	// Runner runs external commands; nil means real processes.
	Runner command.Runner
	// Observer is told about the tasks; nil means nobody.
	Observer task.Observer
	// LogDir gets one log per task; empty keeps none.
	LogDir string
	// Getenv reads the environment (CONTAINER_ENGINE); nil means os.Getenv.
	Getenv func(string) string
}

// host is the machine as setup sees it; tests hand in their own.
type host struct {
	// root is prepended to every absolute path that is read or written.
	root string
	uid  int
	// find looks a program up on PATH and tells where it is.
	find func(name string) (string, error)
	// detect finds a reachable engine.
	detect func(ctx context.Context) (*engine.Engine, error)
	// launch starts the engine's daemon so that it outlives this process. The
	// channel gets the daemon's end, should it come while we watch.
	launch func(path string, args []string, logFile string) (<-chan error, error)
}

// path is the place of an absolute path below the host's root.
func (h host) path(absolute string) string { return filepath.Join(h.root, absolute) }

func (o Options) withDefaults() Options {
	if o.Runner == nil {
		o.Runner = command.Exec{}
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	return o
}

func thisHost(o Options) host {
	return host{
		root: "/",
		uid:  os.Geteuid(),
		find: exec.LookPath,
		detect: func(ctx context.Context) (*engine.Engine, error) {
			return engine.Detect(ctx, o.Runner, o.Getenv("CONTAINER_ENGINE"))
		},
		launch: launch,
	}
}

// Run makes this machine able to run the pipeline. It changes nothing that is
// already there: a second call takes well under a second and reports every task
// as cached. What it cannot do itself (no root, not Debian) is a *fault.Error
// with the exact commands.
func Run(ctx context.Context, o Options) error {
	o = o.withDefaults()
	s := &installer{Options: o, host: thisHost(o)}
	return s.run(ctx)
}

// installer carries what one task finds out for the next ones.
type installer struct {
	Options
	host host

	engine *engine.Engine
	system system
	// installed tells that a stopped engine was found on the machine.
	installed bool
}

func (s *installer) run(ctx context.Context) error {
	group := task.Group{Phase: phase, Observer: s.Observer, LogDir: s.LogDir}
	return group.Run(ctx,
		task.Task{Name: "setup.probe", Run: s.probe},
		task.Task{Name: "setup.runtime", Needs: []string{"setup.probe"}, Run: s.configureRuntime},
		task.Task{Name: "setup.packages", Needs: []string{"setup.runtime"}, Run: s.installPackages},
		task.Task{Name: "setup.engine", Needs: []string{"setup.packages"}, Run: s.startEngine},
	)
}

// probe finds out what is there and stops early, with the commands to run by
// hand, on a machine that setup cannot change.
func (s *installer) probe(ctx context.Context, h *task.Handle) error {
	system, err := readSystem(s.host.path("/etc/os-release"))
	if err != nil {
		return err
	}
	s.system = system
	s.engine, err = s.host.detect(ctx)
	if err == nil {
		h.Cached("%s %s is running", s.engine.Kind, s.engine.Version)
		return nil
	}
	if !errors.Is(err, engine.ErrNone) {
		return err
	}
	if s.Getenv("CONTAINER_ENGINE") == engine.Podman {
		return fault.With(err, "install podman with your system's package manager and run it as root, or unset CONTAINER_ENGINE")
	}
	if !s.canInstall() {
		return fault.With(err, system.engineCommands())
	}
	_, lookErr := s.host.find("dockerd")
	s.installed = lookErr == nil
	h.Detail("no engine is running")
	return nil
}

// canInstall tells whether packages can be installed from here.
func (s *installer) canInstall() bool { return s.system.debian() && s.host.uid == 0 }

// startEngine starts the engine's daemon unless one is running already.
func (s *installer) startEngine(ctx context.Context, h *task.Handle) error {
	if s.engine != nil {
		h.Cached("%s %s", s.engine.Kind, s.engine.Version)
		return nil
	}
	if err := s.startDaemon(ctx, h); err != nil {
		return fmt.Errorf("start the container engine: %w", err)
	}
	e, err := s.host.detect(ctx)
	if err != nil {
		return fmt.Errorf("the engine was started but cannot be used: %w", err)
	}
	h.Detail("started %s %s", e.Kind, e.Version)
	return nil
}
