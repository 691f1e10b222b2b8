package load

import (
	"bytes"
	"encoding/json"

	"github.com/opencontainers/go-digest"
)

// holding is what a node tells.
type holding struct {
	// images are, by reference, the digests of the configurations, which are the
	// engine's image ids.
	images map[string]string
	// chains are the file systems that the node has unpacked.
	chains map[digest.Digest]bool
}

// listed reads the images that crictl lists as JSON, and after them the snapshots that
// ctr lists, if any.
func listed(out []byte) (holding, error) {
	var list struct {
		Images []struct {
			ID       string
			RepoTags []string
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(out))
	if err := decoder.Decode(&list); err != nil {
		return holding{}, err
	}
	h := holding{images: map[string]string{}, chains: committed(out[decoder.InputOffset():])}
	for _, image := range list.Images {
		for _, ref := range image.RepoTags {
			h.images[ref] = image.ID
		}
	}
	return h, nil
}
