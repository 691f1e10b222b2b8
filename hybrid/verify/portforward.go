package verify

import "go/ast"

const portForwardPath = "k8s.io/client-go/tools/portforward"

// checkPortForward finds client-go's port-forward and the kubectl verb where it
// can become part of an argument list.
func checkPortForward(p *pass) {
	const verb = "port-forward"
	for _, f := range p.src.goFiles {
		for _, spec := range f.ast.Imports {
			if unquote(spec.Path) == portForwardPath {
				p.addf(f.path, f.line(spec), "imports %s", portForwardPath)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			var words []ast.Expr
			switch n := n.(type) {
			case *ast.CallExpr:
				words = n.Args
			case *ast.CompositeLit:
				words = n.Elts
			}
			for _, word := range words {
				if unquote(word) == verb {
					p.addf(f.path, f.line(word), "runs %s", verb)
				}
			}
			return true
		})
	}
}
