package setup

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// system is the part of os-release that setup decides by.
type system struct {
	id      string
	like    []string
	version string
}

// readSystem parses an os-release file; one that does not exist gives the zero
// system, on which nothing is installed.
func readSystem(path string) (system, error) {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return system{}, nil
	}
	if err != nil {
		return system{}, fmt.Errorf("find out which system this is: %w", err)
	}
	return parseSystem(b), nil
}

func parseSystem(release []byte) system {
	var s system
	for line := range bytes.Lines(release) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			s.id = value
		case "ID_LIKE":
			s.like = strings.Fields(value)
		case "VERSION_ID":
			s.version = value
		}
	}
	return s
}

// debian tells whether apt-get is the way to install packages.
func (s system) debian() bool { return s.id == "debian" || slices.Contains(s.like, "debian") }

// enginePackages are the packages that give this system a docker engine with a
// client that builds with BuildKit. Debian 12 has one client with BuildKit built
// in; later systems ship client and builder as packages of their own.
func (s system) enginePackages() []string {
	major, _, _ := strings.Cut(s.version, ".")
	n, err := strconv.Atoi(major)
	switch {
	case s.id == "debian" && err == nil && n <= 12:
		return []string{"docker.io"}
	case s.id == "debian":
		return []string{"docker.io", "docker-cli", "docker-buildx"}
	default:
		return []string{"docker.io", "docker-buildx"}
	}
}

// engineCommands are what a person runs on a machine that setup cannot change.
func (s system) engineCommands() string {
	const group = ` && sudo usermod --append --groups docker "$USER" && newgrp docker`
	switch {
	case s.debian():
		return "sudo apt-get update && sudo apt-get install --yes " + strings.Join(s.enginePackages(), " ") +
			" && sudo systemctl enable --now docker" + group
	case s.id == "fedora":
		return "sudo dnf install --assumeyes moby-engine docker-cli docker-buildx && sudo systemctl enable --now docker" + group
	case slices.Contains(append(s.like, s.id), "rhel"):
		return "sudo dnf install --assumeyes podman"
	default:
		return "install and start docker (https://docs.docker.com/engine/install/) or podman (https://podman.io/docs/installation), then run this again"
	}
}
