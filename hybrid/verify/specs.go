package verify

import (
	"go/ast"
	"go/token"
	"slices"
)

const ginkgoPath = "github.com/onsi/ginkgo/v2"

// skippingNames are the names of Ginkgo that keep specs from running: Skip
// itself, the pending and focused containers, and the decorators. Ordered is
// among them because its first failure skips the rest of the chain.
func skippingNames() []string {
	names := []string{"Skip", "Pending", "Focus", "Ordered"}
	for _, node := range []string{"Describe", "Context", "When", "It", "Specify", "DescribeTable", "DescribeTableSubtree", "Entry"} {
		for _, prefix := range []string{"P", "X", "F"} {
			names = append(names, prefix+node)
		}
	}
	return names
}

// checkSpecSkip wants every spec to run.
func checkSpecSkip(p *pass) {
	skipping := skippingNames()
	for _, f := range p.specFiles() {
		pkg := f.importName(ginkgoPath)
		inspectNames(f.ast, func(n ast.Node) {
			if pkg != "" {
				for _, name := range skipping {
					if isPackageMember(n, pkg, name) {
						p.addf(f.path, f.line(n), "%s keeps specs from running", name)
					}
				}
			}
			if call, ok := n.(*ast.CallExpr); ok && f.test {
				sel, ok := call.Fun.(*ast.SelectorExpr)
				if ok && slices.Contains([]string{"Skipf", "SkipNow"}, sel.Sel.Name) {
					p.addf(f.path, f.line(n), "%s keeps specs from running", sel.Sel.Name)
				}
			}
		})
	}
}

// checkSpecNamespace wants namespaces drawn at run time. It looks where a
// literal can only be a namespace of the cluster: the metadata of objects, the
// keys of look-ups, and the Namespace objects that specs create.
func checkSpecNamespace(p *pass) {
	for _, f := range p.specFiles() {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				p.checkNamespaceLiteral(f, n)
			case *ast.CallExpr:
				if typeName(n.Fun) == "InNamespace" && len(n.Args) == 1 && unquote(n.Args[0]) != "" {
					p.addf(f.path, f.line(n), "the namespace %q is fixed", unquote(n.Args[0]))
				}
			}
			return true
		})
	}
}

func (p *pass) checkNamespaceLiteral(f goFile, lit *ast.CompositeLit) {
	switch typeName(lit.Type) {
	case "ObjectMeta", "NamespacedName", "ObjectKey":
		if value := field(lit, "Namespace"); unquote(value) != "" {
			p.addf(f.path, f.line(value), "the namespace %q is fixed", unquote(value))
		}
	case "Namespace":
		meta, ok := field(lit, "ObjectMeta").(*ast.CompositeLit)
		if !ok {
			return
		}
		if value := field(meta, "Name"); unquote(value) != "" {
			p.addf(f.path, f.line(value), "the spec creates the fixed namespace %q", unquote(value))
		}
	}
}

// specFiles are the Go files of the E2E suites.
func (p *pass) specFiles() []goFile {
	var files []goFile
	for _, f := range p.src.goFiles {
		if f.below(specsFolder) {
			files = append(files, f)
		}
	}
	return files
}

// typeName is the last part of a possibly qualified name.
func typeName(n ast.Expr) string {
	switch n := n.(type) {
	case *ast.Ident:
		return n.Name
	case *ast.SelectorExpr:
		return n.Sel.Name
	}
	return ""
}

// field gives the value of a keyed field of a struct literal, nil without it.
func field(lit *ast.CompositeLit, name string) ast.Expr {
	for _, element := range lit.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if key, ok := pair.Key.(*ast.Ident); ok && key.Name == name {
			return pair.Value
		}
	}
	return nil
}

// inspectNames visits the nodes of a file except identifiers that name a
// field, a method, a parameter or a label, so that with a dot import in force
// a bare identifier can be taken for the package's.
func inspectNames(file *ast.File, visit func(ast.Node)) {
	names := map[*ast.Ident]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			names[n.Sel] = true
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok {
				names[key] = true
			}
		case *ast.Field:
			for _, name := range n.Names {
				names[name] = true
			}
		case *ast.FuncDecl:
			names[n.Name] = true
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, left := range n.Lhs {
					if id, ok := left.(*ast.Ident); ok {
						names[id] = true
					}
				}
			}
		case *ast.LabeledStmt:
			names[n.Label] = true
		}
		if id, ok := n.(*ast.Ident); n != nil && (!ok || !names[id]) {
			visit(n)
		}
		return true
	})
}
