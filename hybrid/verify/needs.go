package verify

import "slices"

// need is something that a rule looks at, or compares with. It gives the reason why the
// rule cannot be checked when that is missing, else nothing: a rule that looks at
// nothing would hold everywhere.
type need func(*sources, Options) string

// missing is the first thing that the rule lacks, empty when it can be checked.
func (r Rule) missing(src *sources, o Options) string {
	for _, n := range r.needs {
		if reason := n(src, o); reason != "" {
			return reason
		}
	}
	return ""
}

func unless(there bool, reason string) string {
	if there {
		return ""
	}
	return reason
}

func dockerfiles(src *sources, _ Options) string {
	return unless(len(src.dockerfiles) > 0, "there is no Dockerfile")
}

func manifests(src *sources, _ Options) string {
	return unless(len(src.documents) > 0, "there is no Kubernetes object in "+manifestsFolder)
}

func goSources(src *sources, _ Options) string {
	return unless(len(src.goFiles) > 0, "there is no Go file")
}

func specs(src *sources, _ Options) string {
	there := slices.ContainsFunc(src.goFiles, func(f goFile) bool { return f.below(specsFolder) })
	return unless(there, "there is no Go file in "+specsFolder)
}

// magefiles stands for the layout of a repository whose pipeline is mage targets: rules
// about where things live mean nothing in another one.
func magefiles(src *sources, _ Options) string {
	there := slices.ContainsFunc(src.goFiles, func(f goFile) bool { return f.dir() == magefilesFolder })
	return unless(there, "there is no Go file in "+magefilesFolder)
}

// phaseTargets wants one of the phases that are named as nothing else is: a target Build
// is in many magefiles.
func phaseTargets(src *sources, _ Options) string {
	targets := targets(src)
	there := slices.ContainsFunc(phases()[1:], func(phase string) bool { _, ok := targets[phase]; return ok })
	return unless(there, "no target in "+magefilesFolder+" is called Cluster, Load or Deploy")
}

func timeline(src *sources, _ Options) string {
	return unless(src.timeline != nil, "no run has left a "+timelineFile)
}

func images(_ *sources, o Options) string {
	return unless(o.Registry != "" && len(o.Images) > 0, "the images that suites build are not given")
}

func nodePorts(_ *sources, o Options) string {
	return unless(len(o.NodePorts) > 0, "the table of endpoints is not given")
}

func coveragePath(_ *sources, o Options) string {
	return unless(o.CoveragePath != "", "the path of coverage data is not given")
}
