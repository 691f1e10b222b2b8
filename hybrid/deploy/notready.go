package deploy

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// NotReadyError is a wait that ended without success.
type NotReadyError struct {
	// Kind, Namespace and Name are the object that was waited for.
	Kind, Namespace, Name string
	// Reason says in words why it is not ready.
	Reason string
	// Evidence are lines about pods, containers, events and logs; it may be
	// empty when the cluster could not be asked.
	Evidence []string

	// selector finds the pods of a Service; nil for Deployments.
	selector labels.Selector
}

// Error gives the reason, then the evidence, one indented line each.
func (e *NotReadyError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is not ready: %s", title(e.Kind, e.Namespace, e.Name), e.Reason)
	for _, line := range e.Evidence {
		b.WriteString("\n  " + line)
	}
	return b.String()
}
