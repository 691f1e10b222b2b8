package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// toolPackages are the host packages beside the engine: mmdebstrap makes the
// root file system that local images start from, PostgreSQL and Redis are
// started, without a container, by the unit tests of the services.
func toolPackages() []string { return []string{"mmdebstrap", "postgresql", "redis-server"} }

// policyFile is asked by invoke-rc.d whether a package may start its service.
const policyFile = "/usr/sbin/policy-rc.d"

// denyServices answers "no" (101) for every service.
const denyServices = "#!/bin/sh\n# Written by hybrid's setup for the time of one apt-get call.\nexit 101\n"

func (s *installer) installPackages(ctx context.Context, h *task.Handle) error {
	if !s.canInstall() {
		h.Cached("packages are left to you: %s", strings.Join(toolPackages(), ", "))
		return nil
	}
	wanted := toolPackages()
	if s.engine == nil && !s.installed {
		wanted = append(s.system.enginePackages(), wanted...)
	}
	missing, err := s.missing(ctx, wanted)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		h.Cached("%d packages present", len(wanted))
		return nil
	}
	restore, err := denyServiceStarts(s.host.path(policyFile))
	if err != nil {
		return err
	}
	h.Status("installing %s", strings.Join(missing, ", "))
	err = s.aptGet(ctx, h, missing)
	if err := errors.Join(err, restore()); err != nil {
		return err
	}
	h.Detail("installed %s", strings.Join(missing, ", "))
	return nil
}

// missing lists, in order, which of the packages are not installed.
func (s *installer) missing(ctx context.Context, packages []string) ([]string, error) {
	// dpkg-query exits 1 when it does not know a package, yet prints the others.
	out, err := s.Runner.Run(ctx, command.Command{
		Args: append([]string{"dpkg-query", "--show", "--showformat", `${Package} ${db:Status-Status}\n`}, packages...),
	})
	if failed := (*command.Error)(nil); errors.As(err, &failed) && failed.ExitCode != 1 {
		return nil, fmt.Errorf("list the installed packages: %w", err)
	}
	lines := strings.Split(string(out), "\n")
	return slices.DeleteFunc(slices.Clone(packages), func(p string) bool {
		return slices.Contains(lines, p+" installed")
	}), nil
}

func (s *installer) aptGet(ctx context.Context, h *task.Handle, packages []string) error {
	apt := func(args ...string) error {
		_, err := s.Runner.Run(ctx, command.Command{
			Args: append([]string{"apt-get", "--quiet", "--option", "DPkg::Lock::Timeout=120"}, args...),
			Env:  []string{"DEBIAN_FRONTEND=noninteractive"},
			Log:  h,
		})
		return err
	}
	if err := apt("update"); err != nil {
		return fmt.Errorf("refresh the package lists: %w", err)
	}
	if err := apt(append([]string{"install", "--yes", "--no-install-recommends"}, packages...)...); err != nil {
		return fmt.Errorf("install packages: %w", err)
	}
	return nil
}

// denyServiceStarts keeps packages from starting their services while they are
// installed: PostgreSQL and Redis would occupy their default ports, and the
// engine is started afterwards with our configuration. A policy that the
// machine already has is left alone. restore removes what was written.
func denyServiceStarts(path string) (restore func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if os.IsExist(err) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keep services from starting: %w", err)
	}
	_, writeErr := f.WriteString(denyServices)
	if err := errors.Join(writeErr, f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("keep services from starting: %w", err), os.Remove(path))
	}
	return func() error { return os.Remove(path) }, nil
}
