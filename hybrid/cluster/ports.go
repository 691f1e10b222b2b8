package cluster

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/hybrid-e2e/hybrid/hybrid/fault"
)

// choosePorts gives every mapping a host port on 127.0.0.1: a free one, or the
// NodePort's own number when fixed is set, which must then be free.
func choosePorts(ctx context.Context, ports []Port, fixed bool) ([]Port, error) {
	chosen := make([]Port, len(ports))
	var listen net.ListenConfig
	for i, p := range ports {
		want := "0"
		if fixed {
			want = strconv.Itoa(int(p.Node))
		}
		l, err := listen.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", want))
		if err != nil {
			return nil, fault.With(fmt.Errorf("host port for endpoint %s: %w", p.Name, err),
				"free the port, or unset FIXED_PORTS to let the run choose free ones")
		}
		// All stay open until every one is chosen, so that none is drawn twice.
		defer l.Close()
		p.Host = int32(l.Addr().(*net.TCPAddr).Port) //nolint:errcheck,gosec // A TCP listener has a TCP address, and its port fits.
		chosen[i] = p
	}
	return chosen, nil
}

// CheckPorts finds out, before any work starts, whether the fixed host ports of a
// new cluster are free. With a cluster recorded in state it says nothing, since
// that one may hold them itself.
func CheckPorts(ctx context.Context, state string, ports []Port) error {
	if r, err := readRecord(state); err != nil || r != nil {
		return err
	}
	_, err := choosePorts(ctx, ports, true)
	return err
}
