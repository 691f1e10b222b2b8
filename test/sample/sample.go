package sample

import (
	"bytes"
	_ "embed" // The templates below.
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"text/template"

	"golang.org/x/tools/txtar"

	"github.com/hybrid-e2e/hybrid/hybrid"
	"github.com/hybrid-e2e/hybrid/hybrid/image"
	"github.com/hybrid-e2e/hybrid/hybrid/offline"
)

//go:embed common.txtar
var commonTemplate string

//go:embed service.txtar
var serviceTemplate string

// firstNodePort is that of the first service; the others count on from it.
const firstNodePort int32 = 30100

// Repository is a generated one: services small, each with an image, a Deployment with
// one pod, a Service and an endpoint of its own.
type Repository struct {
	// Name is that of the namespace in which the services run, and the first word of
	// the names of images and suite.
	Name string
	// Dir is where it lies.
	Dir string
	// Services is how many there are.
	Services int
	// Token is part of the names of the images, so that nobody else has the same.
	Token string
}

// Generate writes the repository. What makes stand-ins for base images is copied from
// the repository at root, as every repository has it that is to be built without a
// registry.
func (r Repository) Generate(root string) error {
	for _, folder := range []string{"docker/base", "docker/node"} {
		if err := os.CopyFS(filepath.Join(r.Dir, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
			return fmt.Errorf("copy %s: %w", folder, err)
		}
	}
	if err := r.Add(commonTemplate, nil); err != nil {
		return err
	}
	for i := range r.Services {
		if err := r.Add(serviceTemplate, map[string]any{
			"Name": r.Service(i), "Image": r.image(i), "Registry": image.Registry, "NodePort": r.port(i),
			"Page": r.page(i, 0), "GoToolset": offline.GoToolset, "UBIMinimal": offline.UBIMinimal,
		}); err != nil {
			return err
		}
	}
	return nil
}

// Add fills in the template of a txtar archive and writes its files. Beside the values
// it may use what is known of the repository: .Module, .Namespace, .Services, and
// .Variable, which names the environment variable for the specs.
func (r Repository) Add(text string, values map[string]any) error {
	all := map[string]any{
		"Module": "hybrid.test/" + r.Name, "Namespace": r.Name, "Services": r.Services, "Variable": hybrid.EnvironmentVariable,
	}
	maps.Copy(all, values)
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return fmt.Errorf("read a template of the repository: %w", err)
	}
	var filled bytes.Buffer
	if err := t.Execute(&filled, all); err != nil {
		return fmt.Errorf("fill a template of the repository in: %w", err)
	}
	for _, f := range txtar.Parse(filled.Bytes()).Files {
		name := filepath.Join(r.Dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Change gives every service another page, and so every image another last layer.
func (r Repository) Change(round int) error {
	for i := range r.Services {
		name := filepath.Join(r.Dir, "services", r.Service(i), "page.txt")
		if err := os.WriteFile(name, []byte(r.page(i, round)+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Service names a service, from 0.
func (r Repository) Service(i int) string { return fmt.Sprintf("service-%02d", i+1) }

func (r Repository) port(i int) int32 { return firstNodePort + int32(i) } //nolint:gosec // There are not that many.

// image names the image of a service without registry and tag.
func (r Repository) image(i int) string { return fmt.Sprintf("%s-%02d", r.ImagePrefix(), i+1) }

// ImagePrefix is how the names of all its images start.
func (r Repository) ImagePrefix() string { return r.Name + "-" + r.Token }

func (r Repository) page(i, round int) string {
	return fmt.Sprintf("%s of %d, round %d", r.Service(i), r.Services, round)
}

// Suite declares what there is, as the owner of such a repository would.
func (r Repository) Suite() hybrid.Suite {
	s := hybrid.Suite{
		Name: fmt.Sprintf("%s-%d", r.Name, r.Services), Namespace: r.Name,
		Setup: []string{"manifests/namespace"}, Specs: "./specs",
	}
	for i := range r.Services {
		name := r.Service(i)
		s.Images = append(s.Images, hybrid.Image{Name: r.image(i), Dockerfile: "docker/" + name + ".Dockerfile", Coverage: true})
		s.Workloads = append(s.Workloads, hybrid.Workload{Name: name, Manifests: "manifests/" + name})
		s.Endpoints = append(s.Endpoints, hybrid.Endpoint{Name: name, NodePort: r.port(i), Path: "/"})
	}
	return s
}
