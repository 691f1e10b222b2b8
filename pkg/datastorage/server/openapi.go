package server

import (
	_ "embed" // Embeds the document.
	"net/http"
	"strconv"

	"sigs.k8s.io/yaml"
)

// PathOpenAPI is where the service describes its API.
const PathOpenAPI = "/openapi.json"

// openAPISource is kept in YAML, which has comments and names what repeats.
//
//go:embed openapi.yaml
var openAPISource []byte

// describe answers with the description of the API. That it can be read is proved by
// the tests; it is part of the program.
func (s *Server) describe(w http.ResponseWriter, _ *http.Request) {
	document, err := yaml.YAMLToJSON(openAPISource)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(document)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(document)
}
