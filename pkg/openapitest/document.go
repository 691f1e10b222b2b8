package openapitest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Document is an OpenAPI 3.1 document and what has been seen of it. Make one with
// Parse. It is not safe for concurrent use.
type Document struct {
	spec *openapi3.T
	// seen holds the answers that were given, in the form of answers.
	seen map[string]bool
}

// Parse reads a document, JSON or YAML. The error says where it is not valid
// OpenAPI 3.1.
func Parse(document []byte) (*Document, error) {
	loader := openapi3.NewLoader()
	spec, err := loader.LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	if !strings.HasPrefix(spec.OpenAPI, "3.1.") {
		return nil, fmt.Errorf("the document is OpenAPI %q, not 3.1", spec.OpenAPI)
	}
	if err := spec.Validate(loader.Context); err != nil {
		return nil, fmt.Errorf("the document is not valid OpenAPI 3.1: %w", err)
	}
	return &Document{spec: spec, seen: make(map[string]bool)}, nil
}

// Routes returns the documented routes, such as "GET /health", sorted.
func (d *Document) Routes() []string {
	var routes []string
	for path, item := range d.spec.Paths.Map() {
		for method := range item.Operations() {
			routes = append(routes, method+" "+path)
		}
	}
	slices.Sort(routes)
	return routes
}

// Statuses returns the documented statuses of a route, such as "200", sorted. nil
// means that there is no such route.
func (d *Document) Statuses(route string) []string {
	method, path, _ := strings.Cut(route, " ")
	item := d.spec.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(item.GetOperation(method).Responses.Map()))
}

// Enum returns the values of a schema of the components that is an enumeration,
// or whose named property is one, sorted. A schema that adds to an enumeration in
// anyOf, as an open one does, counts too. Without an enumeration it returns nil.
func (d *Document) Enum(schema string, property ...string) []string {
	found := d.spec.Components.Schemas[schema]
	for _, name := range property {
		if found == nil {
			return nil
		}
		found = found.Value.Properties[name]
	}
	if found == nil {
		return nil
	}
	var values []string
	for _, candidate := range append(slices.Clone(found.Value.AnyOf), found) {
		for _, value := range candidate.Value.Enum {
			values = append(values, fmt.Sprint(value))
		}
	}
	slices.Sort(values)
	return values
}

// Unseen returns what the document promises and no exchange has shown: answers
// such as "GET /health 200", and shared responses such as "NotFound" that neither
// an operation nor an exchange used. Sorted; empty when the document is complete
// and true.
func (d *Document) Unseen() []string {
	var unseen []string
	used := make(map[string]bool)
	for path, item := range d.spec.Paths.Map() {
		for method, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				used[componentOf(response.Ref)] = true
				if answer := method + " " + path + " " + status; !d.seen[answer] {
					unseen = append(unseen, answer)
				}
			}
		}
	}
	for name := range d.spec.Components.Responses {
		if !used[name] && !d.seen[name] {
			unseen = append(unseen, name)
		}
	}
	slices.Sort(unseen)
	return unseen
}

// Shared responses that answer requests which no operation takes.
const (
	responseNotFound         = "NotFound"
	responseMethodNotAllowed = "MethodNotAllowed"
)

// operation returns the operation that takes the request, and what Unseen calls an
// answer to it with the status. A request that none takes gets an operation that
// promises only the shared response for that case.
func (d *Document) operation(request *http.Request, status int) (operation *openapi3.Operation, name string) {
	item := d.spec.Paths.Value(request.URL.Path)
	if item == nil {
		return d.refusal(http.StatusNotFound, responseNotFound), responseNotFound
	}
	if operation := item.GetOperation(request.Method); operation != nil {
		return operation, request.Method + " " + request.URL.Path + " " + strconv.Itoa(status)
	}
	return d.refusal(http.StatusMethodNotAllowed, responseMethodNotAllowed), responseMethodNotAllowed
}

func (d *Document) refusal(status int, component string) *openapi3.Operation {
	shared := d.spec.Components.Responses[component]
	return &openapi3.Operation{Responses: openapi3.NewResponses(openapi3.WithStatus(status, shared))}
}

// componentOf returns the name in a reference to a shared response.
func componentOf(reference string) string {
	return strings.TrimPrefix(reference, "#/components/responses/")
}
