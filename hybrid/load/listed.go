package load

import "encoding/json"

// listed reads what crictl lists as JSON: by reference, the digests of the
// configurations, which are the engine's image ids.
func listed(out []byte) (map[string]string, error) {
	var list struct {
		Images []struct {
			ID       string
			RepoTags []string
		}
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, err
	}
	held := map[string]string{}
	for _, image := range list.Images {
		for _, ref := range image.RepoTags {
			held[ref] = image.ID
		}
	}
	return held, nil
}
