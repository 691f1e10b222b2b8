package middleware

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
)

type clientIPKey struct{}

// ClientIP returns the address of the sender, or "" outside of a request.
func ClientIP(ctx context.Context) string {
	address, _ := ctx.Value(clientIPKey{}).(string)
	return address
}

// RealIP finds out who sent the request. X-Forwarded-For is believed only as far
// as the addresses on the way are in the trusted networks; anything doubtful ends
// the search at the last address that is certain.
func RealIP(trusted []netip.Prefix) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			address := realIP(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), trusted)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientIPKey{}, address)))
		})
	}
}

func realIP(peer string, forwarded []string, trusted []netip.Prefix) string {
	endpoint, err := netip.ParseAddrPort(peer)
	if err != nil {
		return peer
	}
	certain := endpoint.Addr().Unmap()
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0 && within(certain, trusted); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		certain = hop.Unmap()
	}
	return certain.String()
}

func within(address netip.Addr, networks []netip.Prefix) bool {
	for _, network := range networks {
		if network.Contains(address) {
			return true
		}
	}
	return false
}
