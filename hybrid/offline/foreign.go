package offline

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/hybrid-e2e/hybrid/hybrid/command"
	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/task"
)

// foreignBase is the stand-in for UBI-minimal on another platform. None of its programs is
// ever run here: its packages are unpacked and not configured, and the database of rpm comes
// from the stand-in of this machine's platform, whose packages are for any.
type foreignBase struct {
	// platform is like linux/arm64.
	platform    string
	debian, ubi standIn
}

// foreignFile makes it of the two.
const foreignFile = baseFolder + "/ubi-minimal-foreign.Dockerfile"

// unpackedDockerfile makes an image of its root file system.
const unpackedDockerfile = `FROM scratch
ADD debian.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["/bin/bash"]
`

// architecture is what Debian and tags call it.
func (f foreignBase) architecture() string { return path.Base(f.platform) }

func (m *maker) nameForeign(n *namer, platform string) foreignBase {
	f := foreignBase{platform: platform}
	f.debian = n.image(BaseFolder+"debian-"+f.architecture(), standIn{}, func(k key) {
		m.apt.addTo(k)
		for _, a := range m.apt.unpacking(f.architecture(), "") {
			k.add("argument", a)
		}
		k.add("dockerfile", unpackedDockerfile)
	})
	f.ubi = n.image(BaseFolder+"ubi-minimal-"+f.architecture(), standIn{
		standsFor: UBIMinimal, dockerfile: foreignFile, context: baseFolder, baseArg: "DEBIAN_IMAGE", base: f.debian.ref,
	}, func(k key) { k.add("native", m.ubi.ref) }, foreignFile)
	return f
}

func (m *maker) foreignTasks(f foreignBase) []task.Task {
	debian, ubi := "base.debian-"+f.architecture(), "base.ubi-minimal-"+f.architecture()
	build := m.unless(m.needed(f.ubi), f.ubi, func(ctx context.Context, h *task.Handle) error {
		err := m.Engine.Build(ctx, engine.BuildOptions{
			Dockerfile: filepath.Join(m.Root, f.ubi.dockerfile), Context: filepath.Join(m.Root, f.ubi.context), Tag: f.ubi.ref,
			Args:   map[string]string{f.ubi.baseArg: f.ubi.base, "UBI_MINIMAL_IMAGE": m.ubi.ref},
			Labels: f.ubi.labels(), Platform: f.platform, Log: h,
		})
		if err != nil {
			return fmt.Errorf("build the stand-in %s: %w", f.ubi.ref, err)
		}
		return nil
	})
	return []task.Task{
		{Name: debian, Run: m.unless(!m.present[f.debian.ref] && m.needed(f.ubi), f.debian, func(ctx context.Context, h *task.Handle) error {
			return m.makeForeignDebian(ctx, h, f)
		})},
		{Name: ubi, Needs: []string{debian, "base.ubi-minimal"}, Run: build},
	}
}

// unpacking is the command that writes a root file system of another architecture to out.
func (s aptSettings) unpacking(architecture, out string) []string {
	args := []string{
		"mmdebstrap", "--variant=extract", "--mode=root", "--architectures=" + architecture,
		"--include=base-files,bash,ca-certificates,coreutils", "--aptopt=APT::Install-Recommends \"false\"",
	}
	for _, o := range s.options {
		args = append(args, "--aptopt="+o)
	}
	args = append(args, suite, out)
	return append(args, s.sources...)
}

func (m *maker) makeForeignDebian(ctx context.Context, h *task.Handle, f foreignBase) error {
	dir, remove, err := m.scratch("debian-")
	if err != nil {
		return err
	}
	defer remove()
	archive := filepath.Join(dir, "debian.tar")
	h.Status("collecting %s for %s", suite, f.architecture())
	_, err = m.Runner.Run(ctx, command.Command{
		Args: m.apt.unpacking(f.architecture(), archive), Env: []string{"TMPDIR=" + dir}, Log: h,
	})
	if err != nil {
		return fault.With(fmt.Errorf("make a small Debian for %s: %w", f.platform, err), "sudo apt-get install --yes mmdebstrap, or set IMAGE_SOURCE=registry")
	}
	// The engine imports archives for its own platform alone.
	file := filepath.Join(dir, "Dockerfile")
	err = os.WriteFile(file, []byte(unpackedDockerfile), 0o600)
	if err == nil {
		err = m.Engine.Build(ctx, engine.BuildOptions{Dockerfile: file, Context: dir, Tag: f.debian.ref, Platform: f.platform, Log: h})
	}
	if err != nil {
		return fmt.Errorf("make an image of the small Debian: %w", err)
	}
	return nil
}
