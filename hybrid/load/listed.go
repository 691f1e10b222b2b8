package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// listed reads the answer to ask: by reference, the digests of the configurations. It
// is crictl's JSON, or lines of the form "sha256:… size [reference reference]".
func listed(out []byte) (map[string]string, error) {
	held := map[string]string{}
	if bytes.HasPrefix(bytes.TrimSpace(out), []byte("{")) {
		var list struct {
			Images []struct {
				ID       string
				RepoTags []string
			}
		}
		if err := json.Unmarshal(out, &list); err != nil {
			return nil, err
		}
		for _, image := range list.Images {
			for _, ref := range image.RepoTags {
				held[ref] = image.ID
			}
		}
		return held, nil
	}
	for _, line := range lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("line %q is not an image", line)
		}
		for _, ref := range fields[2:] {
			held[strings.Trim(ref, "[]")] = fields[0]
		}
	}
	return held, nil
}
