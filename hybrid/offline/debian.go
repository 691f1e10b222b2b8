package offline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// suite is the Debian release of every stand-in: that of the official
// PostgreSQL and Redis images whose place they take.
const suite = "bookworm"

// debianHook finishes the root file system.
const debianHook = baseFolder + "/debian.sh"

// aptSettings is what of this machine's package configuration the stand-ins
// take over: where packages come from, and whom to trust.
type aptSettings struct {
	// sources are files with the suite's package sources; none means Debian's
	// own mirror.
	sources []string
	// options are lines of apt's configuration: proxies and checks.
	options []string
	// caBundle is the machine's file of trusted certificates; empty if none.
	caBundle string
	// content is what the files hold, for the key.
	content []string
}

// sourceFiles are where Debian keeps its own sources; other files there name
// sources that a small base needs nothing of.
func sourceFiles() []string {
	return []string{"/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"}
}

// bundleFiles are the usual places of the certificate bundle.
func bundleFiles() []string {
	return []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}
}

func readAptSettings(ctx context.Context, o Options) (aptSettings, error) {
	var s aptSettings
	for _, path := range sourceFiles() {
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), suite) {
			s.sources, s.content = append(s.sources, path), append(s.content, string(b))
		}
	}
	bundles := bundleFiles()
	if path := o.Getenv("SSL_CERT_FILE"); path != "" {
		bundles = append([]string{path}, bundles...)
	}
	for _, path := range bundles {
		if b, err := os.ReadFile(path); err == nil {
			s.caBundle, s.content = path, append(s.content, string(b))
			break
		}
	}
	// A machine without apt has no settings to take over.
	dump, err := o.Runner.Run(ctx, command.Command{Args: []string{"apt-config", "dump"}})
	if cause := context.Cause(ctx); cause != nil {
		return s, cause
	}
	if err == nil {
		s.options = aptOptions(string(dump))
	}
	return s, nil
}

// aptOptions picks the settings that decide how packages are fetched.
func aptOptions(dump string) []string {
	prefixes := []string{"Acquire::http::", "Acquire::https::", "Acquire::Check-Date ", "Acquire::Check-Valid-Until ", "Acquire::Retries "}
	var options []string
	for line := range strings.Lines(dump) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ";")
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) && !strings.HasSuffix(line, ` ""`) {
				options = append(options, line)
			}
		}
	}
	return options
}

// addTo puts everything that decides the Debian base into the key.
func (s aptSettings) addTo(k key) {
	for _, a := range s.arguments("") {
		k.add("argument", a)
	}
	for _, c := range s.content {
		k.add("content", c)
	}
}

// arguments is the command that writes the root file system to out.
func (s aptSettings) arguments(out string) []string {
	args := []string{
		"mmdebstrap", "--variant=minbase",
		// A file system that starts merged needs no tool, with 47 MB of Perl, that
		// merges it.
		"--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=usr-is-merged",
		"--aptopt=APT::Install-Recommends \"false\"",
		// The image is thrown away when the machine crashes; flushing every file
		// of every package would cost a third of the time.
		"--dpkgopt=force-unsafe-io",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/info/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/zoneinfo/right/*",
		"--dpkgopt=path-exclude=/usr/lib/*/gconv/*",
	}
	for _, o := range s.options {
		args = append(args, "--aptopt="+o)
	}
	args = append(args, "--customize-hook="+debianHook, suite, out)
	return append(args, s.sources...)
}

// makeDebian makes the root file system with mmdebstrap and imports it.
func (m *maker) makeDebian(ctx context.Context, h *task.Handle) error {
	dir, remove, err := m.scratch("debian-")
	if err != nil {
		return err
	}
	defer remove()
	archive := filepath.Join(dir, "debian.tar")
	args := m.apt.arguments(archive)
	for i, a := range args {
		if hook, ok := strings.CutPrefix(a, "--customize-hook="); ok {
			args[i] = "--customize-hook=" + filepath.Join(m.Root, hook)
		}
	}
	h.Status("collecting %s", suite)
	_, err = m.Runner.Run(ctx, command.Command{
		Args: args, Env: []string{"CA_BUNDLE=" + m.apt.caBundle, "TMPDIR=" + dir}, Log: h,
	})
	if err != nil {
		return fault.With(fmt.Errorf("make a small Debian: %w", err), "sudo apt-get install --yes mmdebstrap, or set IMAGE_SOURCE=registry")
	}
	_, err = m.Engine.Run(ctx, h, "import",
		"--change", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"--change", `CMD ["/bin/bash"]`, archive, m.debian.ref)
	if err != nil {
		return fmt.Errorf("import the small Debian: %w", err)
	}
	return nil
}
