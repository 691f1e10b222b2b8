package middleware

import "net/http"

// Framing lets a connection serve further requests only while everybody on the way
// must agree where each of them ends: in HTTP/1.1, by Content-Length alone. What
// follows after any other request may be a body that a proxy did not see as one.
//
// net/http drops the Content-Length beside chunked, and Transfer-Encoding in
// HTTP/1.0, before a handler can see them, so all chunked bodies and all of HTTP/1.0
// count as doubtful. RFC 9112, section 6.1, asks for the same.
func Framing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
