package verify

import (
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// checkPinned wants every base that is pulled to have a digest. Images made
// here carry none; a base that only the pipeline can name has no default, which
// is for the images that the suites do not build themselves. Where nobody says which
// they build, every base has one.
func checkPinned(p *pass) {
	for _, d := range p.src.dockerfiles {
		for _, st := range d.stages {
			if st.inherits || p.opts.Registry != "" && strings.HasPrefix(st.base, p.opts.Registry+"/") {
				continue
			}
			if st.base == "" {
				if len(p.opts.Images) == 0 || p.isSuiteImage(d.path) {
					p.addf(d.path, st.line, "the base %s has no default", st.BaseName)
				}
				continue
			}
			if _, err := name.NewDigest(st.base); err != nil {
				p.addf(d.path, st.line, "the base %s is not pinned by digest (…@sha256:…)", st.base)
			}
		}
	}
}

// checkUser wants the last USER of the images that the suites build to be
// neither root nor missing.
func checkUser(p *pass) {
	found := map[string]bool{}
	for _, d := range p.src.dockerfiles {
		found[d.path] = true
		if !p.isSuiteImage(d.path) {
			continue
		}
		last := d.stages[len(d.stages)-1]
		user, line := "", last.line
		for i, command := range last.Commands {
			if c, ok := command.(*instructions.UserCommand); ok {
				env, _ := d.environment(last, i, nil)
				user, line = expandWord(c.User, env), commandLine(c)
			}
		}
		switch uid, _, _ := strings.Cut(user, ":"); uid {
		case "":
			p.addf(d.path, line, "the last stage names no USER")
		case "root", "0":
			p.addf(d.path, line, "the image runs as %s", user)
		}
	}
	for _, img := range p.opts.Images {
		if !found[img.Dockerfile] {
			p.addf(img.Dockerfile, 0, "image %s has no such Dockerfile", img.Name)
		}
	}
}

// checkLabels wants the images that the suites build to describe themselves for
// registries (OCI) and for Kubernetes consoles.
func checkLabels(p *pass) {
	for _, d := range p.src.dockerfiles {
		if !p.isSuiteImage(d.path) {
			continue
		}
		last := d.stages[len(d.stages)-1]
		var keys []string
		for _, command := range last.Commands {
			if c, ok := command.(*instructions.LabelCommand); ok {
				for _, label := range c.Labels {
					keys = append(keys, label.Key)
				}
			}
		}
		for _, prefix := range []string{"org.opencontainers.image.", "io.k8s."} {
			if !slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, prefix) }) {
				p.addf(d.path, last.line, "the last stage sets no label %s…", prefix)
			}
		}
	}
}

func (p *pass) isSuiteImage(dockerfile string) bool {
	return slices.ContainsFunc(p.opts.Images, func(img Image) bool { return img.Dockerfile == dockerfile })
}
