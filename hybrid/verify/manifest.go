package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	yamlv3 "go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// document is one Kubernetes object of a manifest.
type document struct {
	path string
	kind string
	// node keeps the lines that the typed objects below lose.
	node *yamlv3.Node
	// workload is set for objects that make pods, service for Services.
	workload *workload
	service  *corev1.Service
}

// workload is the pod template of an object.
type workload struct {
	template corev1.PodTemplateSpec
	// at are the keys that lead to the template's spec.
	at []any
}

// container is a container of a workload with the line at which it starts.
type container struct {
	corev1.Container
	line int
}

func (s *sources) addManifest(path string, content []byte) {
	decoder := yamlv3.NewDecoder(bytes.NewReader(content))
	for {
		var node yamlv3.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			s.addBroken(path, 0, err)
			return
		}
		if len(node.Content) == 0 || node.Content[0].Tag == "!!null" {
			continue
		}
		doc, err := newDocument(path, node.Content[0])
		if err != nil {
			s.addBroken(path, node.Content[0].Line, err)
			continue
		}
		s.documents = append(s.documents, doc)
	}
}

func newDocument(path string, node *yamlv3.Node) (document, error) {
	doc := document{path: path, node: node}
	var head struct {
		Kind string `yaml:"kind"`
	}
	if err := node.Decode(&head); err != nil {
		return doc, err
	}
	if doc.kind = head.Kind; doc.kind == "" {
		return doc, errors.New("the object has no kind")
	}
	text, err := yamlv3.Marshal(node)
	if err != nil {
		return doc, err
	}
	// Strict, so that a misspelt field is an error and not a missing one.
	if doc.kind == "Service" {
		doc.service = &corev1.Service{}
		err = yaml.UnmarshalStrict(text, doc.service)
	} else {
		doc.workload, err = newWorkload(doc.kind, text)
	}
	if err != nil {
		return doc, fmt.Errorf("not a valid %s: %w", doc.kind, err)
	}
	return doc, nil
}

// newWorkload decodes objects that make pods; others give nil.
func newWorkload(kind string, text []byte) (*workload, error) {
	w := &workload{at: []any{"spec", "template", "spec"}}
	var err error
	switch kind {
	case "Pod":
		var pod corev1.Pod
		err = yaml.UnmarshalStrict(text, &pod)
		w.template = corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
		w.at = []any{"spec"}
	case "Deployment":
		var o appsv1.Deployment
		err = yaml.UnmarshalStrict(text, &o)
		w.template = o.Spec.Template
	case "StatefulSet":
		var o appsv1.StatefulSet
		err = yaml.UnmarshalStrict(text, &o)
		w.template = o.Spec.Template
	case "DaemonSet":
		var o appsv1.DaemonSet
		err = yaml.UnmarshalStrict(text, &o)
		w.template = o.Spec.Template
	case "Job":
		var o batchv1.Job
		err = yaml.UnmarshalStrict(text, &o)
		w.template = o.Spec.Template
	case "CronJob":
		var o batchv1.CronJob
		err = yaml.UnmarshalStrict(text, &o)
		w.template = o.Spec.JobTemplate.Spec.Template
		w.at = []any{"spec", "jobTemplate", "spec", "template", "spec"}
	default:
		return nil, nil
	}
	return w, err
}

// containers lists init containers and containers; none for other objects.
func (d document) containers() []container {
	if d.workload == nil {
		return nil
	}
	var all []container
	for _, list := range []struct {
		key        string
		containers []corev1.Container
	}{
		{"initContainers", d.workload.template.Spec.InitContainers},
		{"containers", d.workload.template.Spec.Containers},
	} {
		for i, c := range list.containers {
			all = append(all, container{c, d.line(append(slices.Clip(d.workload.at), list.key, i)...)})
		}
	}
	return all
}

// line finds the line of the value that keys (strings) and indices (ints) lead
// to; where they lead nowhere, that of the last one found.
func (d document) line(keys ...any) int {
	node, line := d.node, d.node.Line
	for _, key := range keys {
		if node = child(node, key); node == nil {
			break
		}
		line = node.Line
	}
	return line
}

func child(node *yamlv3.Node, key any) *yamlv3.Node {
	switch key := key.(type) {
	case int:
		if node.Kind == yamlv3.SequenceNode && key < len(node.Content) {
			return node.Content[key]
		}
	case string:
		if node.Kind != yamlv3.MappingNode {
			return nil
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				return node.Content[i+1]
			}
		}
	}
	return nil
}
