package verify

import (
	"go/ast"
	"go/build/constraint"
	"path"
	"slices"
	"strings"
)

// VagueNames lists names of packages that do not say what a package owns.
func VagueNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "type", "types", "misc", "shared"}
}

// checkPackageNames looks at the package clause and at the folder.
func checkPackageNames(p *pass) {
	vague := VagueNames()
	seen := map[string]bool{}
	for _, f := range p.src.goFiles {
		if seen[f.dir()] {
			continue
		}
		for _, name := range []string{f.ast.Name.Name, path.Base(f.dir())} {
			if slices.Contains(vague, name) {
				p.addf(f.path, f.line(f.ast.Name), "package name %q says nothing", name)
				seen[f.dir()] = true
				break
			}
		}
	}
}

// checkRootPackage wants every Go file in the root to be out of every build,
// as the launcher is by its tag.
func checkRootPackage(p *pass) {
	for _, f := range p.src.goFiles {
		if f.dir() == "." && !isIgnored(f.ast) {
			p.addf(f.path, 0, "is a Go package in the root; only a file with //go:build ignore may stand here")
		}
	}
}

// isIgnored tells whether the build constraint of the file needs the tag
// "ignore", which nothing ever sets.
func isIgnored(file *ast.File) bool {
	for _, group := range file.Comments {
		if group.Pos() > file.Package {
			break
		}
		for _, comment := range group.List {
			expr, err := constraint.Parse(comment.Text)
			if err == nil && !expr.Eval(func(tag string) bool { return tag != "ignore" }) {
				return true
			}
		}
	}
	return false
}

// layer says what the packages below a folder must not import.
type layer struct {
	// folder and forbidden are paths below the module.
	folder    string
	forbidden []string
	// external are import paths outside the module.
	external []string
}

// layers states the direction of imports: magefiles → test/infrastructure →
// hybrid → its sub-packages, with the services beside them. A file belongs to the first
// layer that has it.
func layers() []layer {
	const mage = "github.com/magefile/mage"
	return []layer{
		{"hybrid", []string{"api", "cmd", "magefiles", "pkg", "test"}, []string{mage}},
		{"api", []string{"cmd", "hybrid", "magefiles", "pkg", "test"}, nil},
		{"pkg", []string{"cmd", "hybrid", "magefiles", "test"}, nil},
		// The pipeline's own command is no service.
		{"cmd/hybrid", []string{"api", "magefiles", "pkg", "test"}, []string{mage}},
		{"cmd", []string{"hybrid", "magefiles", "test"}, nil},
		{"test", []string{"cmd", "magefiles"}, []string{mage}},
	}
}

// checkImports holds every file against its layer. A package below hybrid must
// not import hybrid itself either: it would be the one that imports it.
func checkImports(p *pass) {
	for _, f := range p.src.goFiles {
		for _, l := range layers() {
			if !f.below(l.folder) {
				continue
			}
			for _, spec := range f.ast.Imports {
				target := unquote(spec.Path)
				upwards := l.folder == "hybrid" && f.dir() != "hybrid" && target == p.src.module+"/hybrid"
				if upwards || p.forbids(l, target) {
					p.addf(f.path, f.line(spec), "%s must not import %s", f.dir(), target)
				}
			}
			break
		}
	}
}

func (p *pass) forbids(l layer, target string) bool {
	for _, folder := range l.forbidden {
		if within(target, p.src.module+"/"+folder) {
			return true
		}
	}
	return slices.ContainsFunc(l.external, func(e string) bool { return within(target, e) })
}

// within tells whether an import path is prefix or lies below it.
func within(target, prefix string) bool {
	return target == prefix || strings.HasPrefix(target, prefix+"/")
}
