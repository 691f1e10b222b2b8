// Package openapitest holds an HTTP handler against the OpenAPI document that
// describes it: the requests that it takes, every status, header and body of its
// answers, and that the document promises nothing that was never answered.
// Only tests import it, those of all services.
package openapitest
