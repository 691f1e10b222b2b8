package cluster

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"text/template"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// What manifests of kind's node images ask for, by these words in a comment.
const (
	wantsTemplate = "would you kindly template this file"
	wantsPatch    = "would you kindly patch this file"
)

// manifests reads the objects of kind's two manifests. That of the network is told the
// pods' subnet and, so that it need not wait for kube-proxy, where the API server is.
func manifests(network, storage []byte, apiServer string) ([]*unstructured.Unstructured, error) {
	patched := bytes.Contains(network, []byte(wantsPatch))
	if bytes.Contains(network, []byte(wantsTemplate)) {
		var out bytes.Buffer
		t, err := template.New(networkManifest).Parse(string(network))
		if err == nil {
			err = t.Execute(&out, struct{ PodSubnet string }{podSubnet})
		}
		if err != nil {
			return nil, fmt.Errorf("fill in the manifest of the pod network: %w", err)
		}
		network = out.Bytes()
	}
	objects, err := decode(network)
	if err != nil {
		return nil, fmt.Errorf("read the manifest of the pod network: %w", err)
	}
	if patched {
		for _, o := range objects {
			if err := addEndpoint(o, apiServer); err != nil {
				return nil, fmt.Errorf("add the API server to %s of the pod network: %w", o.GetKind(), err)
			}
		}
	}
	more, err := decode(storage)
	if err != nil {
		return nil, fmt.Errorf("read the manifest of the storage class: %w", err)
	}
	return append(objects, more...), nil
}

// addEndpoint tells the first container of a DaemonSet where the API server is.
func addEndpoint(o *unstructured.Unstructured, apiServer string) error {
	if o.GetKind() != "DaemonSet" {
		return nil
	}
	at := []string{"spec", "template", "spec", "containers"}
	containers, _, err := unstructured.NestedSlice(o.Object, at...)
	if err != nil {
		return err
	}
	if len(containers) == 0 {
		return errors.New("it has no container")
	}
	first, ok := containers[0].(map[string]any)
	if !ok {
		return errors.New("its container is no object")
	}
	env, _, err := unstructured.NestedSlice(first, "env")
	if err != nil {
		return err
	}
	first["env"] = append(env, map[string]any{"name": "CONTROL_PLANE_ENDPOINT", "value": apiServer})
	return unstructured.SetNestedSlice(o.Object, containers, at...)
}

// decode reads the documents of a YAML file that hold more than comments.
func decode(manifest []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096); ; {
		o := &unstructured.Unstructured{}
		switch err := documents.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		case len(o.Object) > 0:
			objects = append(objects, o)
		}
	}
}

// creator creates objects of any kind.
type creator struct {
	client dynamic.Interface
	mapper meta.ResettableRESTMapper
}

func newCreator(config *rest.Config) (*creator, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	discover, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &creator{client, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discover))}, nil
}

// createAll creates the objects at the same time. What one of them needs may come a moment
// later, be it the namespace or what the API server still makes of its own, so all but a
// refusal is tried again.
func (c *creator) createAll(ctx context.Context, objects []*unstructured.Unstructured) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, o := range objects {
		g.Go(func() error {
			var refused error
			err := retry(ctx, func(ctx context.Context) error {
				err := c.create(ctx, o)
				if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
					refused = err
					return nil
				}
				return err
			})
			if err := errors.Join(err, refused); err != nil {
				return fmt.Errorf("create %s %s: %w", o.GetKind(), o.GetName(), err)
			}
			return nil
		})
	}
	return g.Wait()
}

// create creates an object unless it exists.
func (c *creator) create(ctx context.Context, o *unstructured.Unstructured) error {
	kind := o.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		c.mapper.Reset()
		return err
	}
	var resource dynamic.ResourceInterface = c.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		resource = c.client.Resource(mapping.Resource).Namespace(cmp.Or(o.GetNamespace(), metav1.NamespaceDefault))
	} else if o.GetNamespace() != "" {
		// As kind's storage class has one.
		o = o.DeepCopy()
		o.SetNamespace("")
	}
	_, err = resource.Create(ctx, o, metav1.CreateOptions{FieldManager: "hybrid"})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
