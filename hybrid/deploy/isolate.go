package deploy

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

// RunLabel is on every object of an isolated run, so that all of them can be found
// and removed without a list of what the run made.
const RunLabel = "hybrid.local/run"

// Isolation gives a suite's objects names of their own in a cluster that others use too:
// namespaces, ClusterRoles and ClusterRoleBindings end with the run's id, whatever refers to
// them follows, and no NodePort is asked for by number. CustomResourceDefinitions keep
// their names, which are part of an API and not of a run; one that the cluster has is used
// and not written to.
type Isolation struct {
	run string
	// names are the new ones by kind and old name.
	names map[string]map[string]string
}

// Isolate finds out which names the objects of a suite have, all of its folders together,
// and gives them the run's id, which has to be a DNS label. An object of which it cannot be
// told where it would go is an error; all mistakes are reported, joined.
func Isolate(run string, objects []Object) (Isolation, error) {
	if wrong := validation.IsDNS1123Label(run); len(wrong) > 0 {
		return Isolation{}, fmt.Errorf("the run id %q: %s", run, strings.Join(wrong, ", "))
	}
	i := Isolation{run: run, names: map[string]map[string]string{"Namespace": {}, "ClusterRole": {}, "ClusterRoleBinding": {}}}
	var errs []error
	for _, o := range objects {
		if names := i.names[o.GetKind()]; names != nil {
			own := o.GetName() + i.Suffix()
			if wrong := validation.IsDNS1123Label(own); o.GetKind() == "Namespace" && len(wrong) > 0 {
				errs = append(errs, fmt.Errorf("%s: with the run id it would be %s: %s", o, own, strings.Join(wrong, ", ")))
			}
			names[o.GetName()] = own
		}
	}
	for _, o := range objects {
		switch {
		case i.names[o.GetKind()] != nil || o.GetKind() == "CustomResourceDefinition":
		case o.GetNamespace() == "":
			errs = append(errs, fmt.Errorf("%s: it names no namespace, so that nothing keeps it apart from other runs", o))
		case i.names["Namespace"][o.GetNamespace()] == "":
			errs = append(errs, fmt.Errorf("%s: the suite does not make its namespace, and may not write to those of others", o))
		}
	}
	return i, errors.Join(errs...)
}

// Labels are on every object of the run; none with the zero Isolation.
func (i Isolation) Labels() map[string]string {
	if i.run == "" {
		return nil
	}
	return map[string]string{RunLabel: i.run}
}

// Suffix is what the names of the run's namespaces and cluster-wide objects end with; empty
// with the zero Isolation.
func (i Isolation) Suffix() string {
	if i.run == "" {
		return ""
	}
	return "-" + i.run
}

// Namespace is the run's own for one that the suite's manifests name.
func (i Isolation) Namespace(name string) string { return i.own("Namespace", name) }

// own is the run's name of an object; what the suite does not make keeps its own.
func (i Isolation) own(kind, name string) string {
	if own := i.names[kind][name]; own != "" {
		return own
	}
	return name
}

// Apply changes an object that Isolate has seen, once. The zero Isolation changes none.
func (i Isolation) Apply(o Object) {
	if i.run == "" || o.GetKind() == "CustomResourceDefinition" {
		return
	}
	o.SetName(i.own(o.GetKind(), o.GetName()))
	if namespace := o.GetNamespace(); namespace != "" {
		o.SetNamespace(i.Namespace(namespace))
	}
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[RunLabel] = i.run
	o.SetLabels(labels)
	switch o.GetKind() {
	case "RoleBinding", "ClusterRoleBinding":
		i.bind(o)
	case "Service":
		for _, port := range maps(o, "spec", "ports") {
			delete(port, "nodePort")
		}
	case "ConfigMap":
		data, _, _ := unstructured.NestedFieldNoCopy(o.Object, "data")
		i.texts(data)
	case "Deployment":
		for _, c := range containers(o) {
			for _, field := range []string{"env", "args", "command"} {
				c[field] = i.texts(c[field])
				if c[field] == nil {
					delete(c, field)
				}
			}
		}
	}
}

// bind has a binding name the run's role and accounts.
func (i Isolation) bind(o Object) {
	ref, _, _ := unstructured.NestedFieldNoCopy(o.Object, "roleRef")
	if role, ok := ref.(map[string]any); ok && role["kind"] == "ClusterRole" {
		name, _ := role["name"].(string)
		role["name"] = i.own("ClusterRole", name)
	}
	for _, subject := range maps(o, "subjects") {
		if namespace, ok := subject["namespace"].(string); ok {
			subject["namespace"] = i.Namespace(namespace)
		}
	}
}

// maps are the elements of a list, those of the object itself.
func maps(o Object, path ...string) (found []map[string]any) {
	value, _, _ := unstructured.NestedFieldNoCopy(o.Object, path...)
	items, _ := value.([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			found = append(found, m)
		}
	}
	return found
}

// texts puts the run's namespaces into every text of a value, in place, and returns it.
func (i Isolation) texts(value any) any {
	switch v := value.(type) {
	case string:
		for name, own := range i.names["Namespace"] {
			v = replaceLabel(v, name, own)
		}
		return v
	case []any:
		for k := range v {
			v[k] = i.texts(v[k])
		}
	case map[string]any:
		for k := range v {
			v[k] = i.texts(v[k])
		}
	}
	return value
}

// replaceLabel replaces a DNS label where it stands alone, as a value or as a part of a
// host's name, and not within a longer one.
func replaceLabel(text, label, by string) string {
	var out strings.Builder
	for at := 0; ; {
		next := strings.Index(text[at:], label)
		if next < 0 {
			out.WriteString(text[at:])
			return out.String()
		}
		begin, end := at+next, at+next+len(label)
		out.WriteString(text[at:begin])
		if begin > 0 && inLabel(text[begin-1]) || end < len(text) && inLabel(text[end]) {
			out.WriteString(label)
		} else {
			out.WriteString(by)
		}
		at = end
	}
}

func inLabel(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
