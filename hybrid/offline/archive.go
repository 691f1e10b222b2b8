package offline

import (
	"compress/gzip"
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const (
	// sandboxImage is what containerd's configuration in docker/node names.
	sandboxImage = "registry.k8s.io/pause:3.10"
	// networkImage is what the pod network's manifest in docker/node names.
	networkImage = "docker.io/kindest/kindnetd:stand-in"
)

// entrypoint gives the command of a control-plane image by its repository's
// name; "" when the stand-in has no such program.
func entrypoint(ref string) string {
	repository, _, _ := strings.Cut(path.Base(ref), ":")
	switch repository {
	case "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd", "kindnetd":
		return "/usr/local/bin/" + repository
	case "coredns", "pause":
		return "/" + repository
	default:
		return ""
	}
}

// writeArchive writes all images, which share one layer and differ only in
// their entrypoint, as one archive that containerd and docker import.
func writeArchive(file, layerTar string, refs []string) error {
	// The archive is read once, on this machine: compressing 200 MB would cost
	// seconds for nothing.
	layer, err := tarball.LayerFromFile(layerTar, tarball.WithCompressionLevel(gzip.NoCompression))
	if err != nil {
		return fmt.Errorf("read the layer of the control plane: %w", err)
	}
	images := make(map[name.Tag]v1.Image, len(refs))
	for _, ref := range refs {
		tag, err := name.NewTag(ref, name.WithDefaultRegistry(""))
		if err != nil {
			return err
		}
		command := entrypoint(ref)
		if command == "" {
			return fmt.Errorf("kubeadm wants the image %s, for which the stand-in has no program", ref)
		}
		if images[tag], err = controlPlaneImage(layer, command); err != nil {
			return fmt.Errorf("make %s: %w", ref, err)
		}
	}
	if err := tarball.MultiWriteToFile(file, images); err != nil {
		return fmt.Errorf("write the archive of the control plane: %w", err)
	}
	return nil
}

func controlPlaneImage(layer v1.Layer, command string) (v1.Image, error) {
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Entrypoint = []string{command}
	config.Config.WorkingDir = "/"
	config.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	return mutate.ConfigFile(image, config)
}

// archiveRefs adds to kubeadm's own list what only the node refers to, without
// repeating any.
func archiveRefs(kubeadmList string) []string {
	refs := strings.Fields(kubeadmList)
	for _, own := range []string{sandboxImage, networkImage} {
		found := false
		for _, r := range refs {
			found = found || r == own
		}
		if !found {
			refs = append(refs, own)
		}
	}
	return refs
}
