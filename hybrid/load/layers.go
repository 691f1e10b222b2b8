package load

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"

	"github.com/hybrid-e2e/hybrid/hybrid/engine"
)

// chains are the identities of the file systems that the layers of an image add up to,
// from the lowest layer on. A node keeps one snapshot for each.
func chains(image engine.Image) []digest.Digest {
	layers := make([]digest.Digest, len(image.RootFS.Layers))
	for i, l := range image.RootFS.Layers {
		layers[i] = digest.Digest(l)
	}
	return identity.ChainIDs(layers)
}

// paths maps the paths under which engines save those layers of an image of which the
// nodes have the snapshot to the digest of the layer. The last layer is not among
// them: its path in docker's form depends on more than the layers.
func paths(image engine.Image, has func(chain digest.Digest) bool) (map[string]digest.Digest, error) {
	known := map[string]digest.Digest{}
	parent := ""
	ids := chains(image)
	for i, layer := range image.RootFS.Layers[:max(0, len(ids)-1)] {
		id, err := legacyID(ids[i], parent)
		if err != nil {
			return nil, err
		}
		parent = id
		if !has(ids[i]) {
			continue
		}
		d := digest.Digest(layer)
		if err := d.Validate(); err != nil {
			return nil, fmt.Errorf("layer %q: %w", layer, err)
		}
		// Docker up to 24, docker from 25 on, podman.
		known[id+"/layer.tar"], known["blobs/sha256/"+d.Encoded()], known[d.Encoded()+".tar"] = d, d, d
	}
	return known, nil
}

// legacyConfig is the empty configuration that docker gives a layer which is not the
// last one when it saves images.
const legacyConfig = `{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,` +
	`"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"",` +
	`"Entrypoint":null,"OnBuild":null,"Labels":null}`

// legacyID is the name of the folder in which docker up to version 24 saves a layer: a
// hash over what the layer and those below it add up to (image/v1/imagev1.go and
// image/tarexport/save.go of moby). A name that another version makes differently is
// not found in its archive, and the layer is sent as if it were unknown.
func legacyID(chain digest.Digest, parent string) (string, error) {
	config := map[string]any{
		"container_config": json.RawMessage(legacyConfig),
		"created":          "1970-01-01T00:00:00Z",
		"layer_id":         chain,
	}
	if parent != "" {
		config["parent"] = "sha256:" + parent
	}
	encoded, err := json.Marshal(config)
	if err != nil {
		return "", err
	}
	return digest.FromBytes(encoded).Encoded(), nil
}

// committed reads the snapshots that ctr lists: those that an image's layers add up to.
func committed(list []byte) map[digest.Digest]bool {
	found := map[digest.Digest]bool{}
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[len(fields)-1] == "Committed" {
			found[digest.Digest(fields[0])] = true
		}
	}
	return found
}
