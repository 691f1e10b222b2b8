package hybrid

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

func TestSparePortsAreMappedOnlyWhereNodesHaveNoRoute(t *testing.T) {
	p := &Pipeline{suite: Suite{Endpoints: []Endpoint{{Name: "a", NodePort: 30080}}, Spare: []Endpoint{{Name: "spare-0", NodePort: 30100}}}}
	for routed, want := range map[bool]string{false: "a 30080, spare-0 30100", true: "a 30080"} {
		p.routed = routed
		var got []string
		for _, port := range p.ports() {
			got = append(got, port.Name+" "+strconv.Itoa(int(port.Node)))
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("routed %v: %s, want %s", routed, got, want)
		}
	}
}

// TestANodeIsAskedAtItsOwnAddress has an endpoint that answers on 127.0.0.1 by one port, and
// at the node's own address by its NodePort.
func TestANodeIsAskedAtItsOwnAddress(t *testing.T) {
	asked := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked[r.Host+r.URL.Path] = true }))
	defer server.Close()
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseInt(at.Port(), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	p := &Pipeline{suite: Suite{Name: "shop", Endpoints: []Endpoint{{Name: "a", NodePort: int32(number), Path: "/ready"}}}, routed: true}
	env := Environment{Endpoints: map[string]string{"a": server.URL}, Node: "localhost"}
	if err := p.awaitAnswers(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	if own := net.JoinHostPort(env.Node, at.Port()) + "/ready"; len(asked) != 2 || !asked[at.Host+"/ready"] || !asked[own] {
		t.Errorf("asked %v, want %s on 127.0.0.1 and %s", asked, at.Host+"/ready", own)
	}
	env.Node = "127.255.255.254"
	ctx, cancel := context.WithTimeout(t.Context(), 5*answerEvery)
	defer cancel()
	err = p.awaitAnswers(ctx, env)
	if err == nil || !strings.HasPrefix(err.Error(), "endpoint a at the node's own address: ") || fault.Next(err) != "FIXED_PORTS=1 mage e2e:shop, which maps all ports" {
		t.Errorf("error %v, next %q", err, fault.Next(err))
	}
	p.routed = false
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.awaitAnswers(ctx, env); err != nil {
		t.Errorf("without a route: %v", err)
	}
}
