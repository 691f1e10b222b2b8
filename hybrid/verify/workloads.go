package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// checkPullPolicy wants imagePullPolicy Never on every container.
func checkPullPolicy(p *pass) {
	for _, doc := range p.src.documents {
		for _, c := range doc.containers() {
			if c.ImagePullPolicy != corev1.PullNever {
				p.addf(doc.path, c.line, "container %s has imagePullPolicy %q, not Never", c.Name, c.ImagePullPolicy)
			}
		}
	}
}

// checkImageNames wants every container to name an image that a suite builds,
// without tag and digest.
func checkImageNames(p *pass) {
	prefix := p.opts.Registry + "/"
	for _, doc := range p.src.documents {
		for _, c := range doc.containers() {
			name, ok := strings.CutPrefix(c.Image, prefix)
			bare := name
			if i := strings.IndexAny(name, ":@"); i >= 0 {
				bare = name[:i]
			}
			switch {
			case !ok:
				p.addf(doc.path, c.line, "container %s uses %q, not an image of %s", c.Name, c.Image, p.opts.Registry)
			case bare != name:
				p.addf(doc.path, c.line, "container %s gives %s%s a tag or digest", c.Name, prefix, bare)
			case !slices.ContainsFunc(p.opts.Images, func(img Image) bool { return img.Name == name }):
				p.addf(doc.path, c.line, "container %s uses %s, which no suite builds", c.Name, c.Image)
			}
		}
	}
}

// checkNodePorts compares the NodePorts of all Services with the table, both
// ways.
func checkNodePorts(p *pass) {
	used := map[int32]string{}
	for _, doc := range p.src.documents {
		if doc.service == nil || doc.service.Spec.Type != corev1.ServiceTypeNodePort {
			continue
		}
		for i, port := range doc.service.Spec.Ports {
			line := doc.line("spec", "ports", i)
			what := fmt.Sprintf("port %s of Service %s", port.Name, doc.service.Name)
			if port.NodePort == 0 {
				p.addf(doc.path, line, "%s has no nodePort, so that it may land on another's", what)
				continue
			}
			if other, taken := used[port.NodePort]; taken {
				p.addf(doc.path, line, "%s has NodePort %d like %s", what, port.NodePort, other)
				continue
			}
			used[port.NodePort] = what
			own := p.opts.NodePorts[doc.service.Name] == port.NodePort
			if !own && p.opts.NodePorts[doc.service.Name+"-"+port.Name] != port.NodePort {
				p.addf(doc.path, line, "%s has NodePort %d, which the table of endpoints does not give it", what, port.NodePort)
			}
		}
	}
	for _, endpoint := range slices.Sorted(maps.Keys(p.opts.NodePorts)) {
		if port := p.opts.NodePorts[endpoint]; used[port] == "" {
			p.addf(manifestsFolder, 0, "endpoint %s has NodePort %d, which no Service offers", endpoint, port)
		}
	}
}

// checkPodSecurity asks the evaluator of the admission plugin itself whether
// the level "restricted" lets the pods in, and wants a read-only root besides,
// which no level asks for.
func checkPodSecurity(p *pass) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		p.addf(manifestsFolder, 0, "Pod Security cannot be evaluated: %v", err)
		return
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, doc := range p.src.documents {
		if doc.workload == nil {
			continue
		}
		template := doc.workload.template
		for _, result := range evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec) {
			if !result.Allowed {
				p.addf(doc.path, doc.line(doc.workload.at...), "%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
		for _, c := range doc.containers() {
			if c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
				p.addf(doc.path, c.line, "container %s can write to its root file system (readOnlyRootFilesystem)", c.Name)
			}
		}
	}
}
