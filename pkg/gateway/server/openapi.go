package server

import (
	"crypto/sha256"
	_ "embed" // Embeds the document.
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// PathOpenAPI is where the Gateway describes its API.
const PathOpenAPI = "/openapi.json"

// openAPISource is kept in YAML, which has comments and names what repeats.
//
//go:embed openapi.yaml
var openAPISource []byte

// reference answers with the description of the API. Make one with newReference.
type reference struct {
	document []byte
	etag     string
}

func newReference() (reference, error) {
	document, err := yaml.YAMLToJSON(openAPISource)
	if err != nil {
		return reference{}, fmt.Errorf("read the description of the API: %w", err)
	}
	sum := sha256.Sum256(document)
	return reference{document: document, etag: `"` + hex.EncodeToString(sum[:]) + `"`}, nil
}

// ServeHTTP answers with the document, or that the client has it already. A
// client may keep it but asks each time: a rolling update changes it at once.
func (d reference) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("ETag", d.etag)
	header.Set("Cache-Control", "no-cache")
	if d.known(r.Header.Values("If-None-Match")) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(d.document)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(d.document)
}

// known tells whether the client's documents include this one. The comparison is
// the weak one that RFC 9110 asks for: a proxy that compresses weakens the tag.
func (d reference) known(tags []string) bool {
	for tag := range strings.SplitSeq(strings.Join(tags, ","), ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == d.etag {
			return true
		}
	}
	return false
}
