package scaling

import (
	"bytes"
	_ "embed" // The templates below.
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"golang.org/x/tools/txtar"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
)

//go:embed repository.txtar
var repositoryTemplate string

//go:embed service.txtar
var serviceTemplate string

const (
	// namespace is where the generated services run.
	namespace = "scaling"
	// firstNodePort is that of the first service; the others count on from it.
	firstNodePort int32 = 30100
)

// repository is a generated one: services small, each with an image, a Deployment with
// one pod, a Service and an endpoint of its own.
type repository struct {
	// dir is where it lies.
	dir string
	// services is how many there are.
	services int
	// token is part of the names of the images, so that no other run has the same.
	token string
}

// generate writes the repository into the folder dir. What makes stand-ins for base
// images is copied from the repository at root, as every repository has it that is to
// be built without a registry.
func generate(dir, root, token string, services int) (repository, error) {
	r := repository{dir: dir, services: services, token: token}
	for _, folder := range []string{"docker/base", "docker/node"} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
			return r, fmt.Errorf("copy %s: %w", folder, err)
		}
	}
	if err := r.write(repositoryTemplate, map[string]any{
		"Variable": hybrid.EnvironmentVariable, "Services": services, "Namespace": namespace,
	}); err != nil {
		return r, err
	}
	for i := range services {
		if err := r.write(serviceTemplate, map[string]any{
			"Name": r.service(i), "Image": r.image(i), "Registry": image.Registry, "Namespace": namespace, "NodePort": r.port(i),
			"Page": r.page(i, 0), "GoToolset": offline.GoToolset, "UBIMinimal": offline.UBIMinimal,
		}); err != nil {
			return r, err
		}
	}
	return r, nil
}

// write fills a template in and writes the files that it then consists of.
func (r repository) write(text string, values map[string]any) error {
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return fmt.Errorf("read a template of the repository: %w", err)
	}
	var filled bytes.Buffer
	if err := t.Execute(&filled, values); err != nil {
		return fmt.Errorf("fill a template of the repository in: %w", err)
	}
	for _, f := range txtar.Parse(filled.Bytes()).Files {
		name := filepath.Join(r.dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// change gives every service another page, and so every image another last layer.
func (r repository) change(round int) error {
	for i := range r.services {
		name := filepath.Join(r.dir, "services", r.service(i), "page.txt")
		if err := os.WriteFile(name, []byte(r.page(i, round)+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (r repository) service(i int) string { return fmt.Sprintf("service-%02d", i+1) }

func (r repository) port(i int) int32 { return firstNodePort + int32(i) } //nolint:gosec // There are not that many.

// image names the image of a service without registry and tag.
func (r repository) image(i int) string { return fmt.Sprintf("%s-%02d", r.imagePrefix(), i+1) }

// imagePrefix is how the names of all its images start.
func (r repository) imagePrefix() string { return "scaling-" + r.token }

func (r repository) page(i, round int) string {
	return fmt.Sprintf("%s of %d, round %d", r.service(i), r.services, round)
}

// suite declares what there is, as the owner of such a repository would.
func (r repository) suite() hybrid.Suite {
	s := hybrid.Suite{
		Name: fmt.Sprintf("scaling-%d", r.services), Namespace: namespace,
		Setup: []string{"manifests/namespace"}, Specs: "./specs",
	}
	for i := range r.services {
		name := r.service(i)
		s.Images = append(s.Images, hybrid.Image{Name: r.image(i), Dockerfile: "docker/" + name + ".Dockerfile", Coverage: true})
		s.Workloads = append(s.Workloads, hybrid.Workload{Name: name, Manifests: "manifests/" + name})
		s.Endpoints = append(s.Endpoints, hybrid.Endpoint{Name: name, NodePort: r.port(i), Path: "/"})
	}
	return s
}
