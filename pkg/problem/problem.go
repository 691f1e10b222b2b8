package problem

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// ContentType is the media type of every error answer (RFC 9457).
const ContentType = "application/problem+json"

// Base is the prefix of every problem type.
const Base = "https://kubernaut.ai/problems/"

// The kinds of problem that the services answer. Each one implies a status and a
// title, see Write.
const (
	TypeValidation           = Base + "validation-error"
	TypeUnsupportedMediaType = Base + "unsupported-media-type"
	TypeNotFound             = Base + "not-found"
	TypeMethodNotAllowed     = Base + "method-not-allowed"
	TypePayloadTooLarge      = Base + "payload-too-large"
	TypeUnauthorized         = Base + "unauthorized"
	TypeForbidden            = Base + "forbidden"
	TypeTooManyRequests      = Base + "too-many-requests"
	TypeServiceUnavailable   = Base + "service-unavailable"
	TypeInternal             = Base + "internal-error"
)

// Problem is the body of an error answer. Only Type is needed; Write fills what
// is empty.
type Problem struct {
	// Type is one of the Type constants. Empty means TypeInternal.
	Type string `json:"type"`
	// Title is the short name of the kind. Empty means the kind's own title.
	Title string `json:"title"`
	// Status is the HTTP status. 0 means the kind's own status.
	Status int `json:"status"`
	// Detail says what is wrong with this request, for its sender. It must not
	// carry internals such as addresses, stack traces or errors of a store.
	Detail string `json:"detail,omitempty"`
	// Instance is the path that was asked for. Empty means the request's path.
	Instance string `json:"instance,omitempty"`
	// RequestID is the id of the request. Empty means the id in its context.
	RequestID string `json:"request_id,omitempty"`

	// Extensions are further members of the body, for example the index of a bad
	// element. A name that the struct above already uses is ignored.
	Extensions map[string]any `json:"-"`
	// RetryAfter, when above zero, is sent as the Retry-After header, rounded up
	// to whole seconds.
	RetryAfter time.Duration `json:"-"`
}

// MarshalJSON writes the standard members and the extensions as one object.
func (p Problem) MarshalJSON() ([]byte, error) {
	type standard Problem
	body, err := json.Marshal(standard(p))
	if err != nil || len(p.Extensions) == 0 {
		return body, err
	}
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	merged := maps.Clone(p.Extensions)
	maps.Copy(merged, members)
	return json.Marshal(merged)
}

// Write answers r with p. It fills an empty Type, Title, Status, Instance and
// RequestID, and never fails: a client that went away is the only possible
// error, and nobody is left to be told.
func Write(w http.ResponseWriter, r *http.Request, p Problem) {
	p = p.completed(r)
	body, err := json.Marshal(p)
	if err != nil {
		// Only an extension that has no JSON form can get here; the answer is
		// still the right problem without it.
		p.Extensions = nil
		body, _ = json.Marshal(p)
	}
	header := w.Header()
	header.Set("Content-Type", ContentType)
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if p.RetryAfter > 0 {
		seconds := (p.RetryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}

// NotFound is the router's handler for a path that does not exist.
func NotFound(w http.ResponseWriter, r *http.Request) {
	Write(w, r, Problem{Type: TypeNotFound, Detail: "There is nothing at this path."})
}

// MethodNotAllowed is the router's handler for a path that does not take the
// method. An Allow header already set by the router is kept.
func MethodNotAllowed(w http.ResponseWriter, r *http.Request) {
	Write(w, r, Problem{
		Type:   TypeMethodNotAllowed,
		Detail: "This path does not take the method " + r.Method + ".",
	})
}

func (p Problem) completed(r *http.Request) Problem {
	if p.Type == "" {
		p.Type = TypeInternal
	}
	status, title := implied(p.Type)
	if p.Status == 0 {
		p.Status = status
	}
	if p.Title == "" {
		p.Title = title
	}
	if p.Instance == "" {
		p.Instance = r.URL.Path
	}
	if p.RequestID == "" {
		p.RequestID = RequestID(r.Context())
	}
	return p
}

// implied returns the status and the title that belong to a type. A type that is
// not one of the constants is the service's own mistake, hence 500.
func implied(kind string) (status int, title string) {
	switch kind {
	case TypeValidation:
		return http.StatusBadRequest, "Validation Error"
	case TypeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType, "Unsupported Media Type"
	case TypeNotFound:
		return http.StatusNotFound, "Not Found"
	case TypeMethodNotAllowed:
		return http.StatusMethodNotAllowed, "Method Not Allowed"
	case TypePayloadTooLarge:
		return http.StatusRequestEntityTooLarge, "Payload Too Large"
	case TypeUnauthorized:
		return http.StatusUnauthorized, "Unauthorized"
	case TypeForbidden:
		return http.StatusForbidden, "Forbidden"
	case TypeTooManyRequests:
		return http.StatusTooManyRequests, "Too Many Requests"
	case TypeServiceUnavailable:
		return http.StatusServiceUnavailable, "Service Unavailable"
	default:
		return http.StatusInternalServerError, "Internal Server Error"
	}
}
