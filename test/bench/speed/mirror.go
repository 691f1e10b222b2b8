package speed

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
	"github.com/hybrid-e2e/hybrid/hybrid/fault"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
)

const (
	// defaultMirrorDelay is how long the slow mirror thinks about each `dnf update`.
	defaultMirrorDelay = 60 * time.Second
	maxMirrorDelay     = 10 * time.Minute
	// repositoryFolder is where the stand-in of ubi-minimal has its packages.
	repositoryFolder = "/opt/stand-in/repository"
	// metadata is what dnf asks for first, once in each update.
	metadata = "/repodata/repomd.xml"
)

// mirrorDelay reads BENCH_MIRROR_DELAY.
func mirrorDelay(getenv func(string) string) (time.Duration, error) {
	text := getenv("BENCH_MIRROR_DELAY")
	if text == "" {
		return defaultMirrorDelay, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxMirrorDelay {
		return 0, fault.With(fmt.Errorf("BENCH_MIRROR_DELAY=%q: want a duration from 0s to %s", text, maxMirrorDelay), "mend BENCH_MIRROR_DELAY")
	}
	return d, nil
}

// mirror serves the packages of the bases slowly, and is asked by bases of its own.
type mirror struct {
	server *http.Server
	bases  []string
}

// slowMirror makes bases whose updates come from a mirror that lets each `dnf update`
// wait for BENCH_MIRROR_DELAY, and directs the builds of s to them.
// What is returned is to be closed also after an error.
func (s *stage) slowMirror(ctx context.Context, getenv func(string) string) (*mirror, error) {
	m := &mirror{}
	delay, err := mirrorDelay(getenv)
	if err != nil {
		return m, err
	}
	ubi := s.buildArgs[offline.UBIMinimalArg]
	files, err := s.packages(ctx, ubi)
	if err != nil {
		return m, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return m, err
	}
	m.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: slow(http.FileServer(http.Dir(files)), delay)}
	go func() { _ = m.server.Serve(listener) }() // It ends by close.
	for _, arg := range []string{offline.UBIMinimalArg, offline.GoToolsetArg} {
		base := s.buildArgs[arg]
		file := filepath.Join(s.state, arg+".Dockerfile")
		text := slowBase(base, listener.Addr().String(), delay)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return m, err
		}
		tag := image.Registry + "/bench/" + strings.ToLower(strings.ReplaceAll(arg, "_", "-")) + ":slow"
		if err := s.engine.Build(ctx, engine.BuildOptions{Dockerfile: file, Context: s.state, Tag: tag, Log: s.log}); err != nil {
			return m, fmt.Errorf("make a base that asks the slow mirror: %w", err)
		}
		m.bases = append(m.bases, tag)
		s.buildArgs[arg] = tag
	}
	return m, nil
}

// slowBase is a Dockerfile that directs dnf to a mirror. By itself, dnf gives a mirror up
// that is silent for 30 seconds.
func slowBase(base, mirror string, delay time.Duration) string {
	patience := delay + 30*time.Second
	return fmt.Sprintf("FROM %s\nUSER root\nRUN sed -i 's|^baseurl=.*|baseurl=http://%s\\ntimeout=%.0f|' /etc/yum.repos.d/stand-in.repo\n",
		base, mirror, patience.Seconds())
}

// slow lets each request for the metadata wait.
func slow(next http.Handler, delay time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == metadata {
			timer := time.NewTimer(delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// packages copies the repository out of the base.
func (s *stage) packages(ctx context.Context, base string) (dir string, err error) {
	out, err := s.engine.Run(ctx, s.log, "create", base)
	if err != nil {
		return "", fmt.Errorf("read the packages of %s: %w", base, err)
	}
	container := strings.TrimSpace(string(out))
	defer func() {
		_, rmErr := s.engine.Run(context.WithoutCancel(ctx), s.log, "rm", container)
		err = errors.Join(err, rmErr)
	}()
	archive, err := s.engine.Run(ctx, s.log, "cp", container+":"+repositoryFolder, "-")
	if err != nil {
		return "", fault.With(fmt.Errorf("read the packages of %s: %w", base, err), "IMAGE_SOURCE=local mage bench:setup; the slow mirror serves the packages of the stand-in")
	}
	dir = filepath.Join(s.state, "mirror")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, unpack(bytes.NewReader(archive), dir)
}

// unpack writes the files of an archive below dir, without their first folder.
func unpack(archive io.Reader, dir string) error {
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, name, _ := strings.Cut(path.Clean(h.Name), "/")
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
			continue
		}
		target := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, content, 0o644); err != nil {
			return err
		}
	}
}

// close ends the mirror and removes its bases.
func (m *mirror) close(ctx context.Context, s *stage) error {
	var errs []error
	if m.server != nil {
		errs = append(errs, m.server.Close())
	}
	for _, base := range m.bases {
		_, err := s.engine.Run(context.WithoutCancel(ctx), s.log, "image", "rm", "--no-prune", base)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
